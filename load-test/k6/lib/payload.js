// @ts-check
// The attributes of events, of a given size. Pure: the same arguments give the same attributes.
//
// The larger payloads carry the nested structures that such events have in practice (owner with address,
// insurance, maintenance history, service records, payment history for loans, metadata), as many records as
// fit, and a padding text for the last bytes. All values are ASCII, so that characters are bytes.
import { between, pick } from './random.js';

/** @typedef {import('./random.js').Random} Random */
/** @typedef {Record<string, unknown>} Attributes */

const DAY_MS = 86_400_000;
/** All dates are at or before this one, so that a run's events do not depend on the day of the run. */
const EPOCH_MS = Date.UTC(2024, 0, 15, 10, 30, 0);

const MODELS = ['Corolla', 'Golf', 'Model 3', 'Octavia', 'Civic', 'Ioniq 5', 'Focus', 'Duster'];
const NAMES = ['Alex Moore', 'Dana Kim', 'Elif Kaya', 'Jonas Weber', 'Maria Silva', 'Noor Haddad', 'Wei Zhang'];
const STREETS = ['Oak Street', 'Harbour Road', 'Mill Lane', 'Station Avenue', 'Garden Way'];
const CITIES = ['Springfield', 'Riverton', 'Lakeside', 'Fairview', 'Greenville'];
const INSURERS = ['Northern Mutual', 'Harbour Insurance', 'Alpine Direct'];
const WORK = ['oil and filter changed', 'brake pads replaced', 'tyres rotated', 'battery tested', 'coolant refilled'];
const WORDS = ['inspection', 'warranty', 'mileage', 'invoice', 'transfer', 'workshop', 'balance', 'renewal', 'report'];

/**
 * A date within the three years before the epoch, as RFC 3339.
 * @param {Random} random
 */
export function date(random) {
  return new Date(EPOCH_MS - between(random, 0, 1095) * DAY_MS).toISOString().replace('.000Z', 'Z');
}

/** @param {Random} random @param {number} low @param {number} high  whole units, e.g. dollars */
export function money(random, low, high) {
  return between(random, low * 100, high * 100) / 100;
}

/** @param {Random} random */
export function carAttributes(random) {
  return { model: pick(random, MODELS), year: between(random, 2005, 2024) };
}

/** @param {Random} random */
export function loanAttributes(random) {
  return { balance: money(random, 5000, 60000), lastPaidDate: date(random) };
}

/** @param {Random} random */
export function paymentAttributes(random) {
  return { ...loanAttributes(random), paymentAmount: money(random, 100, 900) };
}

/** @param {Random} random */
export function serviceAttributes(random) {
  return { serviceCost: money(random, 50, 2500) };
}

/** @param {Random} random */
function owner(random) {
  return {
    name: pick(random, NAMES),
    email: `owner${between(random, 1000, 9999)}@example.com`,
    phone: `+1-555-${between(random, 1000000, 9999999)}`,
    address: {
      street: `${between(random, 1, 999)} ${pick(random, STREETS)}`,
      city: pick(random, CITIES),
      postalCode: String(between(random, 10000, 99999)),
      country: 'US',
      location: { latitude: between(random, -9000, 9000) / 100, longitude: between(random, -18000, 18000) / 100 },
    },
  };
}

/** @param {Random} random */
function insurance(random) {
  return {
    provider: pick(random, INSURERS),
    policyNumber: `POL-${between(random, 100000, 999999)}`,
    validUntil: date(random),
    coverage: { liability: 100000, collision: true, deductible: money(random, 200, 1000) },
  };
}

/** @param {Random} random */
function metadata(random) {
  return {
    source: 'load-test',
    schemaVersion: 3,
    region: pick(random, ['eu-west', 'us-east', 'ap-south']),
    tags: [pick(random, WORDS), pick(random, WORDS), pick(random, WORDS)],
    flags: { verified: true, archived: false, reviewer: null },
  };
}

/** @param {Random} random */
function maintenanceEntry(random) {
  return {
    date: date(random),
    mileage: between(random, 1000, 250000),
    description: pick(random, WORK),
    cost: money(random, 50, 2500),
    parts: [
      { number: `P-${between(random, 10000, 99999)}`, quantity: between(random, 1, 8), price: money(random, 5, 400) },
      { number: `P-${between(random, 10000, 99999)}`, quantity: between(random, 1, 8), price: money(random, 5, 400) },
    ],
  };
}

/** @param {Random} random */
function serviceRecord(random) {
  return {
    serviceId: `SRV-${between(random, 100000, 999999)}`,
    date: date(random),
    workshop: { name: `${pick(random, CITIES)} Motors`, technician: pick(random, NAMES) },
    items: [pick(random, WORK), pick(random, WORK)],
    total: money(random, 50, 2500),
    underWarranty: random() < 0.5,
  };
}

/** @param {Random} random */
function payment(random) {
  return {
    paymentId: `PAY-${between(random, 100000, 999999)}`,
    date: date(random),
    amount: money(random, 100, 900),
    principal: money(random, 50, 700),
    interest: money(random, 10, 200),
    method: pick(random, ['card', 'transfer', 'direct-debit']),
  };
}

/**
 * A text of words, cut to the length.
 * @param {Random} random
 * @param {number} length  characters
 */
function text(random, length) {
  let words = '';
  while (words.length < length) {
    words += `${pick(random, WORDS)} `;
  }
  return words.slice(0, length);
}

/**
 * Adds a padding text, so that the object's JSON has the size or is up to two bytes shorter: without its last
 * character, it is a multiple of three.
 * @param {Attributes} base  stays at the front of the result
 * @param {number} size      bytes that JSON.stringify(result) shall have
 * @param {Random} random
 * @returns {Attributes} larger than `size` where `base` with an empty padding is
 */
export function grow(base, size, random) {
  const empty = JSON.stringify({ ...base, padding: '' }).length;
  const shortest = empty + ((3 - ((empty - 1) % 3)) % 3);
  const wanted = Math.max(shortest, size - ((size - 1) % 3));
  return { ...base, padding: text(random, wanted - empty) };
}

/**
 * The nested structures that every event of a larger payload carries.
 * @param {number} size  bytes of JSON that they may take; 0 for none
 * @param {Random} random
 * @returns {Attributes}
 */
export function commonAttributes(size, random) {
  if (size === 0) {
    return {};
  }
  const attributes = { owner: owner(random), insurance: insurance(random), metadata: metadata(random) };
  return addRecords(attributes, size, { maintenanceHistory: maintenanceEntry, serviceRecords: serviceRecord }, random);
}

/**
 * The payment history of a loan: what fits beside `base`.
 * @param {Attributes} base
 * @param {number} size  bytes of JSON that both may take
 * @param {Random} random
 * @returns {Attributes} without `base`
 */
export function paymentHistory(base, size, random) {
  return addRecords({}, size - JSON.stringify({ ...base, padding: '' }).length, { paymentHistory: payment }, random);
}

/**
 * Adds records to each history in turn until the next one would not fit.
 * @param {Attributes} attributes
 * @param {number} size  bytes of JSON that the result may take
 * @param {Record<string, (random: Random) => object>} histories  makers of records
 * @param {Random} random
 * @returns {Attributes}
 */
function addRecords(attributes, size, histories, random) {
  const lists = Object.entries(histories).map(([key, make]) => ({ key, make, records: /** @type {object[]} */ ([]) }));
  const result = { ...attributes, ...Object.fromEntries(lists.map(({ key, records }) => [key, records])) };
  let room = size - JSON.stringify(result).length;
  for (let turn = 0; ; turn++) {
    const { make, records } = lists[turn % lists.length];
    const record = make(random);
    room -= JSON.stringify(record).length + 1;
    if (room < 0) {
      return result;
    }
    records.push(record);
  }
}
