// @ts-check
// A small seeded generator: the same seed gives the same events in k6 and in node, whoever runs first.
// Nothing here is fit for secrets.

/** A source of numbers in [0, 1). @typedef {() => number} Random */

/**
 * 32-bit hash of a text (FNV-1a with a final mix, so that seeds that differ in one digit share nothing).
 * @param {string} text
 * @returns {number} 0 to 2^32 - 1
 */
export function hash32(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The mulberry32 generator: 32 bits of state, a few integer operations a number.
 * @param {number} seed  taken modulo 2^32
 * @returns {Random}
 */
export function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A generator of its own for each purpose: `randomFor('42', 'vu', 7)`.
 * @param {...(string | number)} parts
 * @returns {Random}
 */
export function randomFor(...parts) {
  return mulberry32(hash32(parts.join('/')));
}

/**
 * A whole number, both ends included.
 * @param {Random} random
 * @param {number} low
 * @param {number} high
 */
export function between(random, low, high) {
  return low + Math.floor(random() * (high - low + 1));
}

/**
 * @template T
 * @param {Random} random
 * @param {readonly T[]} list  not empty
 * @returns {T}
 */
export function pick(random, list) {
  return list[Math.floor(random() * list.length)];
}
