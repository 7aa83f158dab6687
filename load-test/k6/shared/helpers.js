// @ts-check
// The events that both protocols send, from one generator. Pure: it runs in k6 and in node.
//
// Building a 64 kB body costs more than sending it, so everything that stays the same is built once and for
// all virtual users (`prepareTemplates`); per event only the entity id and the uuid are put in
// (`EventSource`). A template is plain data, so that k6 can keep it in a SharedArray.
import {
  carAttributes,
  grow,
  loanAttributes,
  paymentAttributes,
  serviceAttributes,
} from '../lib/payload.js';
import { hash32, randomFor } from '../lib/random.js';

/** @typedef {import('../lib/random.js').Random} Random */

/**
 * What is sent for one event type.
 * @typedef {object} Template
 * @property {string} eventName
 * @property {string} entityType
 * @property {string} family          first part of the entity id
 * @property {string} attributesJson  the same text for both protocols
 * @property {[string, string, string]} rest  the REST body around uuid and entity id
 */

/**
 * The next event: what a protocol needs besides the template.
 * @typedef {object} Event
 * @property {number} type     index into the templates
 * @property {string} uuid
 * @property {string} entityId `<family>-<runId>-<vu>-<n>`
 */

/**
 * The event types. `marker` is the attribute that holds the run id: together with the entity id it identifies
 * the event, so that the audit can count in the database what was acknowledged. CarCreated #n and
 * ServiceDone #n of a virtual user address the same car, LoanCreated #n and LoanPaymentSubmitted #n the same
 * loan: one of each pair is an insert, the other a merge. `bytes` is the size of the REST body for the
 * payload `default`.
 */
export const EVENT_TYPES = Object.freeze([
  { name: 'CarCreated', entityType: 'Car', family: 'car', marker: 'carCreatedRun', bytes: 390, base: carAttributes },
  { name: 'LoanCreated', entityType: 'Loan', family: 'loan', marker: 'loanCreatedRun', bytes: 425, base: loanAttributes },
  { name: 'LoanPaymentSubmitted', entityType: 'Loan', family: 'loan', marker: 'loanPaymentRun', bytes: 475, base: paymentAttributes },
  { name: 'ServiceDone', entityType: 'Car', family: 'car', marker: 'serviceDoneRun', bytes: 390, base: serviceAttributes },
]);

/** Bytes of the REST body for each payload name; `default` depends on the event type. */
export const PAYLOAD_BYTES = Object.freeze(
  /** @type {Record<string, number>} */ ({ '4k': 4096, '8k': 8192, '32k': 32768, '64k': 65536 }),
);

export const CREATED_DATE = '2024-01-15T10:30:00Z';
export const SAVED_DATE = '2024-01-15T10:30:05Z';

/** Stands for `-<vu>-<n>` when sizes are computed; real ones are up to a few characters longer or shorter. */
const TYPICAL_NUMBERS = '-100-1000';
const UUID_LENGTH = 36;

/**
 * The four templates of a run.
 * @param {{ seed: string, runId: string, payload: string }} run  payload: `default` or a key of PAYLOAD_BYTES
 * @returns {Template[]} in the order of EVENT_TYPES
 */
export function prepareTemplates({ seed, runId, payload }) {
  return EVENT_TYPES.map((type) => {
    const random = randomFor(seed, 'attributes', type.name);
    const size = PAYLOAD_BYTES[payload] ?? type.bytes;
    const base = { [type.marker]: runId, ...type.base(random) };
    const around = restParts(type.name, type.entityType, '');
    const fixed = around.join('').length + UUID_LENGTH + `${type.family}-${runId}${TYPICAL_NUMBERS}`.length;
    const attributesJson = JSON.stringify(grow(base, size - fixed, type.family === 'loan', random));
    return {
      eventName: type.name,
      entityType: type.entityType,
      family: type.family,
      attributesJson,
      rest: restParts(type.name, type.entityType, attributesJson),
    };
  });
}

/**
 * @param {string} eventName
 * @param {string} entityType
 * @param {string} attributesJson
 * @returns {[string, string, string]}
 */
function restParts(eventName, entityType, attributesJson) {
  return [
    '{"eventHeader":{"uuid":"',
    `","eventName":"${eventName}","createdDate":"${CREATED_DATE}","savedDate":"${SAVED_DATE}",` +
      `"eventType":"${eventName}"},"eventBody":{"entities":[{"entityType":"${entityType}","entityId":"`,
    `","updatedAttributes":${attributesJson}}]}}`,
  ];
}

/**
 * @param {readonly string[]} parts  a template's `rest`
 * @param {Event} event
 * @returns {string} JSON
 */
export function restBody(parts, event) {
  return parts[0] + event.uuid + parts[1] + event.entityId + parts[2];
}

/**
 * A request object for ProcessEvent. It is made once per type and virtual user; `fillGrpcRequest` puts the
 * event in.
 * @param {Template} template
 * @param {string} attributesBase64  of `template.attributesJson`; bytes are base64 in protobuf's JSON
 */
export function grpcRequest(template, attributesBase64) {
  return {
    event_header: {
      uuid: '',
      event_name: template.eventName,
      created_date: CREATED_DATE,
      saved_date: SAVED_DATE,
      event_type: template.eventName,
    },
    event_body: {
      entities: [{ entity_type: template.entityType, entity_id: '', attributes_json: attributesBase64 }],
    },
  };
}

/**
 * A copy that `fillGrpcRequest` may change: what comes out of a SharedArray is frozen.
 * @param {ReturnType<typeof grpcRequest>} request
 */
export function writableRequest({ event_header, event_body }) {
  return { event_header: { ...event_header }, event_body: { entities: [{ ...event_body.entities[0] }] } };
}

/**
 * @param {ReturnType<typeof grpcRequest>} request  changed in place
 * @param {Event} event
 */
export function fillGrpcRequest(request, event) {
  request.event_header.uuid = event.uuid;
  request.event_body.entities[0].entity_id = event.entityId;
}

/**
 * The sequence of events of one virtual user. Types come in a random order that the seed and the VU's number
 * decide, as a shuffled deck: each four events hold every type once, so that shares are equal in a run of any
 * length and the five events of a smoke test show every type.
 */
export class EventSource {
  /**
   * @param {{ seed: string, runId: string, vu: number, families: readonly string[] }} options
   *   vu: from 1, unique within the run; families: of each type, in the order of the templates
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
    [list[i], list[j]] = [list[j], list[i]];
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
