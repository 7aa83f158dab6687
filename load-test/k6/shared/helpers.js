// @ts-check
// What every virtual user does per event, for both protocols: which event comes next, and its place in the
// prepared bodies of lib/events.js. Pure: it runs in k6 and in node.
import { hash32, randomFor } from '../lib/random.js';

/** @typedef {import('../lib/random.js').Random} Random */
/** @typedef {ReturnType<typeof import('../lib/events.js').grpcRequests>} GrpcRequests */
/** @typedef {ReturnType<typeof import('../lib/events.js').restBodies>} RestBodies */

/**
 * @typedef {object} Event
 * @property {number} type     index into the prepared types
 * @property {string} uuid
 * @property {string} entityId `<family>-<runId>-<vu>-<n>`, n counting per type and virtual user, from 1
 */

/**
 * @param {RestBodies} bodies
 * @param {Event} event
 * @returns {string} JSON
 */
export function restBody({ types, end }, { type, uuid, entityId }) {
  const parts = types[type];
  return parts[0] + uuid + parts[1] + entityId + parts[2] + end;
}

/**
 * @param {GrpcRequests} requests
 * @param {Event} event
 * @returns {object} a request for ProcessEvent
 */
export function grpcRequest({ types, end }, { type, uuid, entityId }) {
  const { event_header, event_body } = types[type];
  /** @type {{ entity_type: string, attributes_json?: string, updated_attributes?: Record<string, string> }[]} */
  const [{ entity_type, attributes_json, updated_attributes }] = event_body.entities;
  const attributes = updated_attributes ? { updated_attributes } : { attributes_json: attributes_json + end };
  return {
    event_header: { ...event_header, uuid },
    event_body: { entities: [{ entity_type, entity_id: entityId, ...attributes }] },
  };
}

/**
 * The sequence of events of one virtual user. Types come in a random order that the seed and the VU's number
 * decide, as a shuffled deck: each four events hold every type once, so that shares are equal in a run of any
 * length and the five events of a smoke test show every type.
 */
export class EventSource {
  /**
   * @param {{ seed: string, runId: string, vu: number, families: readonly string[] }} options
   *   vu: from 1, unique within the run; families: first part of the entity id, by type
   */
  constructor({ seed, runId, vu, families }) {
    this.random = randomFor(seed, 'vu', vu);
    this.deck = families.map((_, type) => type);
    this.position = 0;
    this.counts = families.map(() => 0);
    this.idPrefixes = families.map((family) => `${family}-${runId}-${vu}-`);
    this.uuidPrefixes = families.map((_, type) => uuidPrefix(seed, vu, type));
  }

  /** @returns {Event} */
  next() {
    const type = this.draw();
    const n = ++this.counts[type];
    return {
      type,
      uuid: this.uuidPrefixes[type] + n.toString(16).padStart(12, '0'),
      entityId: this.idPrefixes[type] + n,
    };
  }

  /** @private */
  draw() {
    if (this.position === 0) {
      shuffle(this.deck, this.random);
    }
    const type = this.deck[this.position];
    this.position = (this.position + 1) % this.deck.length;
    return type;
  }
}

/**
 * Fisher-Yates.
 * @param {number[]} list  changed in place
 * @param {Random} random
 */
function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    // Not by destructuring, which takes k6's interpreter several times as long.
    const drawn = list[j];
    list[j] = list[i];
    list[i] = drawn;
  }
}

/**
 * The first 24 characters of a version 4 uuid; the last 12 count the events.
 * @param {string} seed
 * @param {number} vu
 * @param {number} type
 */
function uuidPrefix(seed, vu, type) {
  /** @param {string} part */
  const hex = (part) => hash32(`${seed}/uuid/${vu}/${type}/${part}`).toString(16).padStart(8, '0');
  const [a, b] = [hex('a'), hex('b')];
  return `${a}-${b.slice(0, 4)}-4${b.slice(4, 7)}-8${hex('c').slice(0, 3)}-`;
}
