// @ts-check
// From phases to k6 options: a scenario per phase with an exact start time, so that each phase has exact
// metrics of its own without raw samples, and the thresholds. Pure.
import { LATENCY, latencyMetric, successes } from './latency.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./latency.js').Protocol} Protocol */

/**
 * @typedef {object} PlannedPhase
 * @property {number} number        from 1
 * @property {string} name
 * @property {number} vus           under a rate: so many are kept ready, and no more
 * @property {number | null} rate   arrivals per second, whatever the answers take; null where a VU waits for its answer
 * @property {number} startSeconds  from the start of the first phase
 * @property {number | null} durationSeconds  null where iterations end the phase
 * @property {number | null} iterations
 * @property {string} scenario      the tag of its metrics
 */

/**
 * @param {Settings} settings
 * @returns {PlannedPhase[]}
 */
export function planPhases(settings) {
  let startSeconds = 0;
  return settings.phases.map((phase, index) => {
    const planned = {
      number: index + 1,
      name: phase.name,
      vus: phase.vus,
      rate: phase.rate ?? null,
      startSeconds,
      durationSeconds: phase.seconds ?? null,
      iterations: phase.iterations ?? null,
      scenario: `phase_${index + 1}`,
    };
    startSeconds += phase.seconds ?? 0;
    return planned;
  });
}

/**
 * Metrics whose part per phase the lab reads. A threshold list, even an empty one, makes k6 keep the part.
 * Each trend here costs k6 eight bytes a request, so there are no more than are used.
 */
const SUBMETRICS = {
  common: ['events_sent', 'events_acknowledged', 'events_failed_total', 'events_failed', 'data_sent', 'data_received', 'dropped_iterations'],
  rest: ['http_req_blocked', 'http_req_connecting'],
  grpc: [],
};

/**
 * k6's `options`.
 * @param {Settings} settings
 * @param {PlannedPhase[]} phases
 * @param {Protocol} protocol
 */
export function k6Options(settings, phases, protocol) {
  return {
    scenarios: Object.fromEntries(phases.map((phase) => [phase.scenario, scenario(phase, settings.gracefulStopSeconds)])),
    thresholds: thresholds(phases, protocol),
    summaryTrendStats: ['avg', 'min', 'max', 'med', 'p(50)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'count'],
    // Every tag costs time per sample; these are the ones that a submetric or a reader of a failure needs.
    systemTags: ['scenario', 'status', 'expected_response', 'error_code'],
    noConnectionReuse: false,
    noVUConnectionReuse: false,
    // A smoke test reads the answer's `success` too. Under load the status is enough: the audit of the
    // database finds an acknowledgement that was none.
    discardResponseBodies: settings.mode !== 'smoke',
  };
}

/**
 * @param {PlannedPhase} phase
 * @param {number} gracefulStopSeconds
 */
function scenario(phase, gracefulStopSeconds) {
  const gracefulStop = `${gracefulStopSeconds}s`;
  if (phase.durationSeconds === null) {
    const iterations = phase.iterations ?? 1;
    return { executor: 'shared-iterations', vus: phase.vus, iterations, maxDuration: '5m', gracefulStop };
  }
  if (phase.rate !== null) {
    // k6 takes whole iterations per unit of time: per 100 seconds, two decimals of the rate are kept. All virtual users
    // are made beforehand: making one costs what is measured.
    return {
      executor: 'constant-arrival-rate',
      rate: Math.max(1, Math.round(phase.rate * 100)),
      timeUnit: '100s',
      preAllocatedVUs: phase.vus,
      maxVUs: phase.vus,
      startTime: milliseconds(phase.startSeconds),
      duration: milliseconds(phase.durationSeconds),
      gracefulStop,
    };
  }
  return {
    executor: 'constant-vus',
    vus: phase.vus,
    startTime: milliseconds(phase.startSeconds),
    duration: milliseconds(phase.durationSeconds),
    gracefulStop,
  };
}

/** @param {number} seconds */
function milliseconds(seconds) {
  return `${Math.round(seconds * 1000)}ms`;
}

/**
 * @param {PlannedPhase[]} phases
 * @param {Protocol} protocol
 */
function thresholds(phases, protocol) {
  /** @type {Record<string, string[]>} */
  const result = {
    [LATENCY[protocol].metric]: ['p(95)<2000', 'p(99)<5000'],
    events_failed: ['rate<0.05'],
  };
  if (protocol === 'rest') {
    result.http_req_failed = ['rate<0.05'];
  }
  // Over all phases; for HTTP k6 keeps this part anyway.
  result[successes(protocol)] = [];
  for (const { scenario } of phases) {
    for (const metric of [...SUBMETRICS.common, ...SUBMETRICS[protocol]]) {
      result[`${metric}{scenario:${scenario}}`] = [];
    }
    result[latencyMetric(protocol, scenario)] = [];
  }
  return result;
}
