// @ts-check
// The configuration of a run, for both scripts: the environment, the phases, the prepared events.
//
// A run has up to 3,000 virtual users (2,000, and the 1,000 of the phase before that still finish), and k6
// evaluates every imported module in each of them. So what can be worked out once is: the callback of a
// SharedArray runs in the first virtual user alone, and only there the modules are loaded by `require`. Without
// that a run needs 0.1 MB more per virtual user. Reading an element gives each virtual user a copy.
import { SharedArray } from 'k6/data';
import { EventSource } from './shared/helpers.js';
import { perVu } from './lib/per-vu.js';
import { summarize } from './lib/summary.js';

/** @typedef {import('./lib/phases.js').PlannedPhase} PlannedPhase */
/** @typedef {import('./lib/latency.js').Protocol} Protocol */
/** @typedef {import('./lib/settings.js').Settings} Settings */
/** @typedef {import('./lib/summary.js').SummaryData} SummaryData */

/** How long a client waits for an answer or a connection. Text, since a number would be milliseconds. */
export const TIMEOUT = '5s';
/** The pause after an attempt that found no connection, so that a service that is away is not hammered. */
export const RETRY_SECONDS = 0.1;

/** @type {{ settings: Settings, phases: PlannedPhase[] }} */
const run = once('run', () => {
  /** @type {typeof import('./lib/settings.js')} */
  const { readSettings } = require('./lib/settings.js');
  /** @type {typeof import('./lib/phases.js')} */
  const { planPhases } = require('./lib/phases.js');
  const settings = readSettings(__ENV, JSON.parse(open('./lib/modes.json')));
  return { settings, phases: planPhases(settings) };
});
export const { settings } = run;
/** Arrivals per second of an open model; null in a closed one. */
export const arrivalRate = run.phases.find(({ rate }) => rate !== null)?.rate ?? null;

const metadata = settings.authorization === undefined ? undefined : { authorization: settings.authorization };
/** Headers of every HTTP request. @type {Record<string, string>} */
export const restHeaders = settings.authorization === undefined ? {} : { Authorization: settings.authorization };
/** Parameters of every gRPC call. */
export const grpcParams = { timeout: TIMEOUT, ...(metadata && { metadata }) };
/** Parameters of every gRPC connection. Authorities are those of the process: SSL_CERT_FILE names others. */
export const connectParams = { plaintext: settings.scheme === 'http', timeout: TIMEOUT };

/** k6's options. Only in the init context. @param {Protocol} protocol */
export function options(protocol) {
  const prepared = once('options', () => {
    /** @type {typeof import('./lib/phases.js')} */
    const { k6Options } = require('./lib/phases.js');
    return k6Options(run.settings, run.phases, protocol);
  });
  const { tlsCert, tlsKey } = settings;
  const tlsAuth = tlsCert && tlsKey ? [{ cert: open(tlsCert), key: open(tlsKey) }] : undefined;
  // k6 writes into its options, and what `once` returns is frozen.
  return { ...prepared, ...(tlsAuth && { tlsAuth }) };
}

/** The REST bodies. Only in the init context. */
export function restBodies() {
  return once('REST bodies', () => {
    const { prepareTemplates, restBodies } = requireEvents();
    return restBodies(prepareTemplates(settings));
  });
}

/** The gRPC requests. Only in the init context. */
export function grpcRequests() {
  return once('gRPC requests', () => {
    const { grpcRequests, prepareTemplates } = requireEvents();
    const { b64encode } = require('k6/encoding');
    return grpcRequests(prepareTemplates(settings), b64encode, settings.grpcAttributes);
  });
}

/** The events of this virtual user. Only in the init context. */
export function eventSource() {
  const families = once('families', () => requireEvents().EVENT_TYPES.map(({ family }) => family));
  return perVu((vu) => new EventSource({ seed: settings.seed, runId: settings.runId, vu, families }));
}

/** @returns {typeof import('./lib/events.js')} */
function requireEvents() {
  return require('./lib/events.js');
}

/**
 * @template T
 * @param {string} name
 * @param {() => T} make  called in the first virtual user
 * @returns {T} a frozen copy
 */
function once(name, make) {
  return new SharedArray(name, () => [make()])[0];
}

/** Runs when all virtual users are ready, right before the first phase: the time that phases count from. */
export function announceStart() {
  const startedAtMs = Date.now();
  console.log(`weir: phases start at ${startedAtMs}`);
  return { startedAtMs };
}

/**
 * @param {SummaryData} data
 * @param {Protocol} protocol
 * @param {{ eventsPerIteration?: number }} [own]  what only this script has to say
 */
export function summary(data, protocol, own) {
  return summarize(data, run.settings, run.phases, protocol, own);
}
