// @ts-check
// The configuration of a run, for both scripts: the environment, the phases, the prepared events.
import { SharedArray } from 'k6/data';
import { b64encode } from 'k6/encoding';
import { k6Options, planPhases } from './lib/phases.js';
import { readSettings } from './lib/settings.js';
import { summarize } from './lib/summary.js';
import { EVENT_TYPES, EventSource, grpcRequest, prepareTemplates, writableRequest } from './shared/helpers.js';

/** @typedef {import('./lib/phases.js').Protocol} Protocol */
/** @typedef {import('./lib/summary.js').SummaryData} SummaryData */

/** How long a client waits for an answer or a connection. Text, since a number would be milliseconds. */
export const TIMEOUT = '5s';

export const settings = readSettings(__ENV, JSON.parse(open(import.meta.resolve('./lib/modes.json'))));
export const phases = planPhases(settings);

// A SharedArray is filled once for all virtual users; reading an element copies it. So each holds what its
// protocol sends and nothing more: at 2,000 virtual users, 64 kB more would be 128 MB.

/** The REST bodies in parts, by event type, copied into this virtual user. Only in the init context. */
export function restBodies() {
  return Array.from(new SharedArray('REST bodies', () => prepareTemplates(settings).map(({ rest }) => rest)));
}

/** The gRPC requests, by event type, copied into this virtual user. Only in the init context. */
export function grpcRequests() {
  const prepared = new SharedArray('gRPC requests', () =>
    prepareTemplates(settings).map((template) => grpcRequest(template, b64encode(template.attributesJson))),
  );
  return Array.from(prepared, writableRequest);
}

/** @param {number} vu  `__VU` */
export function eventSource(vu) {
  return new EventSource({ ...settings, vu, families: EVENT_TYPES.map(({ family }) => family) });
}

/** @param {Protocol} protocol */
export function options(protocol) {
  return k6Options(settings, phases, protocol);
}

/** Runs when all virtual users are ready, right before the first phase: the time that phases count from. */
export function announceStart() {
  const startedAtMs = Date.now();
  console.log(`weir: phases start at ${startedAtMs}`);
  return { startedAtMs };
}

/** @param {SummaryData} data @param {Protocol} protocol */
export function summary(data, protocol) {
  return summarize(data, settings, phases, protocol);
}
