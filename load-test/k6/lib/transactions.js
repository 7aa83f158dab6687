// @ts-check
// The streams that a run opens: each replays so many of the transactions that `weir seed` makes, from a time drawn
// uniformly out of their day. Pure: it runs in k6 and in node.
import { between, randomFor } from './random.js';

/** `weir seed` spreads its 100,000 transactions over this day, one every 864 ms. */
export const DAY = '2025-01-01T00:00:00Z';
const DAY_SECONDS = 86_400;
const TRANSACTIONS = 100_000;

/**
 * How many events a stream has, from STREAM_LIMIT.
 * @param {Record<string, string | undefined>} env
 * @throws {Error} that names the variable and what is valid
 */
export function streamLimit(env) {
  const text = env.STREAM_LIMIT || '100';
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > TRANSACTIONS) {
    throw new Error(`STREAM_LIMIT is "${text}"; valid is a whole number from 1 to ${TRANSACTIONS}`);
  }
  return limit;
}

/** The sequence of beginnings of one virtual user. */
export class SinceSource {
  /** @param {{ seed: string, vu: number, limit: number }} options  vu: from 1, unique within the run */
  constructor({ seed, vu, limit }) {
    this.random = randomFor(seed, 'transactions', vu);
    // So early that `limit` transactions follow; each may be up to a transaction's distance late.
    const needed = Math.ceil(((limit + 2) * DAY_SECONDS) / TRANSACTIONS);
    this.last = Math.max(0, DAY_SECONDS - needed);
    this.begin = Date.parse(DAY);
  }

  /** @returns {string} RFC 3339 */
  next() {
    return new Date(this.begin + between(this.random, 0, this.last) * 1000).toISOString();
  }
}

/**
 * Whether these are `limit` transactions since a time, in the order of their numbers and with times of sending.
 * @param {{ timestamp: string, sequence: number, emittedAtUs: number }[]} events
 * @param {string} since
 * @param {number} limit
 */
export function isReplay(events, since, limit) {
  const from = Date.parse(since);
  return (
    events.length === limit &&
    events.every(
      ({ timestamp, sequence, emittedAtUs }, index) =>
        Date.parse(timestamp) >= from && emittedAtUs > 0 && (index === 0 || sequence > events[index - 1].sequence),
    )
  );
}

/**
 * What is wrong with the order of a stream's numbers, which have no gaps: of transactions since a time, all that follow
 * the first have the numbers that follow its.
 * @param {number[]} sequences  in the order received
 * @returns {{ missed: number, repeated: number, outOfOrder: number }}
 */
export function faultsOf(sequences) {
  const faults = { missed: 0, repeated: 0, outOfOrder: 0 };
  const missing = new Set();
  let highest = sequences[0] - 1;
  for (const sequence of sequences) {
    if (sequence === highest + 1) {
      highest = sequence;
    } else if (sequence > highest) {
      for (let skipped = highest + 1; skipped < sequence; skipped++) {
        missing.add(skipped);
      }
      highest = sequence;
    } else if (missing.delete(sequence)) {
      faults.outOfOrder += 1;
    } else {
      // A number before the first one's counts as repeated too: it was not asked for.
      faults.repeated += 1;
    }
  }
  faults.missed = missing.size;
  return faults;
}

/**
 * The numbers of the events in a body of `text/event-stream`, without looking at their data.
 * @param {string} body
 * @returns {number[]}
 */
export function sequencesOf(body) {
  const parts = `\n${body}`.split('\nid: ');
  return parts.slice(1).map((part) => Number.parseInt(part, 10));
}

/**
 * The events of a body of `text/event-stream`.
 * @param {string} body
 */
export function parseEvents(body) {
  return body
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)))
    .map(({ timestamp, sequence, emitted_at_us }) => ({ timestamp, sequence, emittedAtUs: emitted_at_us }));
}

/**
 * Transactions have one size. A run that asks for another would be recorded as something that it is not.
 * @param {string} payload
 * @throws {Error} that names the variable and what is valid
 */
export function requireDefaultPayload(payload) {
  if (payload !== 'default') {
    throw new Error(`PAYLOAD_SIZE is "${payload}"; valid for streams is default`);
  }
}
