// @ts-check
// How many replayed streams per second does a target send over server-sent events, and how fast? Each iteration opens a
// stream of STREAM_LIMIT seeded transactions and reads it to its end, over the virtual user's kept-alive connection.
// k6 sees a stream as one answer: delivery times of single events are `benchmark`'s to measure.
// docs/reference/stream.md describes the environment.
import { sleep } from 'k6';
import http from 'k6/http';
import { RETRY_SECONDS, TIMEOUT, announceStart, arrivalRate, options as k6Options, restHeaders, settings, summary } from './config.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';
import { countEvents } from './lib/stream-outcome.js';
import { SinceSource, isReplay, parseEvents, requireDefaultPayload, sequencesOf, streamLimit } from './lib/transactions.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('rest');

const path = __ENV.REST_PATH || '/api/v1/transactions/stream';
const limit = streamLimit(__ENV);
const url = `${settings.origin}${path}?limit=${limit}&since=`;
/** Bodies are read under load too: the events in them are counted. */
const params = { headers: restHeaders, timeout: TIMEOUT, responseType: /** @type {'text'} */ ('text') };
const beginnings = perVu((vu) => new SinceSource({ seed: settings.seed, vu, limit }));

http.setResponseCallback(http.expectedStatuses(200));

export function setup() {
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  const since = beginnings().next();
  countSent();
  const response = http.get(url + since, params);
  countAnswer(isComplete(since, response));
  if (response.status === 0) {
    sleep(RETRY_SECONDS);
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/**
 * Under load the numbers of the events are looked at; a smoke test looks at the events themselves.
 * @param {string} since
 * @param {import('k6/http').RefinedResponse<any>} response
 */
function isComplete(since, response) {
  if (response.status !== 200) {
    return false;
  }
  const body = String(response.body ?? '');
  const sequences = sequencesOf(body);
  // A stream that breaks off before its end is an error of the transport.
  if (!countEvents(sequences) || sequences.length !== limit || response.error_code) {
    return false;
  }
  return settings.mode !== 'smoke' || isReplay(parseEvents(body), since, limit);
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'rest', { eventsPerIteration: limit });
}
