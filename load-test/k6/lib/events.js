// @ts-check
// The events of a run, prepared once for all virtual users. Pure: it runs in k6 and in node.
//
// Building a 64 kB body costs more than sending it, so everything that stays the same is built once; per event
// only uuid and entity id are put in (shared/helpers.js). The attributes come in two parts: the larger one,
// `common`, is the same for all event types, so that a virtual user holds it once and not four times. At 2,000
// virtual users with 64 kB events that is 128 MB instead of 512.
import {
  carAttributes,
  commonAttributes,
  grow,
  loanAttributes,
  paymentAttributes,
  paymentHistory,
  serviceAttributes,
} from './payload.js';
import { randomFor } from './random.js';

/**
 * What is sent for one event type.
 * @typedef {object} Template
 * @property {string} eventName
 * @property {string} entityType
 * @property {string} family   first part of the entity id
 * @property {string} ownJson  the first part of the attributes' JSON; its length is a multiple of 3, so that
 *                             the base64 of both parts can be joined too
 */

/**
 * @typedef {object} Templates
 * @property {Template[]} types  in the order of EVENT_TYPES
 * @property {string} commonJson the second part of the attributes' JSON, for every type
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

/** Stand for uuid and `-<vu>-<n>` when sizes are computed; the latter is up to a few characters off. */
const TYPICAL_UUID = '00000000-0000-4000-8000-000000000000';
const TYPICAL_NUMBERS = '-100-1000';

/**
 * @param {{ seed: string, runId: string, payload: string }} run  payload: `default` or a key of PAYLOAD_BYTES
 * @returns {Templates}
 */
export function prepareTemplates({ seed, runId, payload }) {
  const bytes = PAYLOAD_BYTES[payload];
  // What header, own attributes, payment history and padding need stays free.
  const commonBytes = bytes === undefined ? 0 : Math.floor(bytes * 0.93) - 620;
  const commonJson = openEnded(commonAttributes(commonBytes, randomFor(seed, 'common attributes')));
  const types = EVENT_TYPES.map(({ name, entityType, family, marker, base, bytes: defaultBytes }) => {
    const random = randomFor(seed, 'attributes', name);
    const envelope = restParts({ eventName: name, entityType }).join('').length;
    const fixed = envelope + `${TYPICAL_UUID}${family}-${runId}${TYPICAL_NUMBERS}`.length;
    const room = (bytes ?? defaultBytes) - fixed - commonJson.length;
    const own = { [marker]: runId, ...base(random) };
    const history = family === 'loan' && bytes !== undefined ? paymentHistory(own, room, random) : {};
    const ownJson = JSON.stringify(grow({ ...own, ...history }, room + 1, random)).slice(0, -1);
    return { eventName: name, entityType, family, ownJson };
  });
  return { types, commonJson };
}

/**
 * An object's JSON as a continuation of another's.
 * @param {object} attributes
 */
function openEnded(attributes) {
  const inner = JSON.stringify(attributes).slice(1);
  return inner === '}' ? inner : `,${inner}`;
}

/**
 * The REST body of a type around uuid, entity id and attributes.
 * @param {Pick<Template, 'eventName' | 'entityType'>} template
 * @returns {[string, string, string, string]}
 */
export function restParts({ eventName, entityType }) {
  return [
    '{"eventHeader":{"uuid":"',
    `","eventName":"${eventName}","createdDate":"${CREATED_DATE}","savedDate":"${SAVED_DATE}",` +
      `"eventType":"${eventName}"},"eventBody":{"entities":[{"entityType":"${entityType}","entityId":"`,
    '","updatedAttributes":',
    '}]}}',
  ];
}

/**
 * What REST sends: per type the text before the uuid, before the entity id and after it; then the end for all.
 * @param {Templates} templates
 * @returns {{ types: [string, string, string][], end: string }}
 */
export function restBodies({ types, commonJson }) {
  const end = commonJson + restParts(types[0])[3];
  return {
    types: types.map((template) => {
      const [first, second, third] = restParts(template);
      return [first, second, third + template.ownJson];
    }),
    end,
  };
}

/**
 * What gRPC sends: per type a request for ProcessEvent without uuid and entity id, and with the first part of
 * its attributes, in base64 as protobuf's JSON has bytes; then the end of the attributes for all.
 * @param {Templates} templates
 * @param {(text: string) => string} base64
 * @param {'json' | 'map'} form  map: all attributes as texts, for servers that know `updated_attributes` alone
 */
export function grpcRequests({ types, commonJson }, base64, form = 'json') {
  return {
    types: types.map(({ eventName, entityType, ownJson }) => ({
      event_header: {
        uuid: '',
        event_name: eventName,
        created_date: CREATED_DATE,
        saved_date: SAVED_DATE,
        event_type: eventName,
      },
      event_body: {
        entities: [
          {
            entity_type: entityType,
            entity_id: '',
            ...(form === 'map'
              ? { updated_attributes: texts(JSON.parse(ownJson + commonJson)) }
              : { attributes_json: base64(ownJson) }),
          },
        ],
      },
    })),
    end: form === 'map' ? '' : base64(commonJson),
  };
}

/**
 * Attributes as texts: a text as it is, any other value as its JSON.
 * @param {Record<string, unknown>} attributes
 */
export function texts(attributes) {
  const text = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, text(value)]));
}
