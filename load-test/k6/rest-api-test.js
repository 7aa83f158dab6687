// @ts-check
// How many events per second does a REST target acknowledge, and how fast? Each iteration posts one event over
// the virtual user's kept-alive connection. docs/reference/k6.md describes the environment and the metrics.
import { sleep } from 'k6';
import http from 'k6/http';
import { RETRY_SECONDS, TIMEOUT, announceStart, arrivalRate, eventSource, options as k6Options, restBodies, restHeaders, settings, summary } from './config.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { restBody } from './shared/helpers.js';

export const options = k6Options('rest');

const url = settings.origin + settings.restPath;
const params = { headers: { 'Content-Type': 'application/json', ...restHeaders }, timeout: TIMEOUT };
const bodies = restBodies();
const events = eventSource();

http.setResponseCallback(http.expectedStatuses(200));

export function setup() {
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  const body = restBody(bodies, events().next());
  countSent();
  const response = http.post(url, body, params);
  countAnswer(isAcknowledged(response));
  if (response.status === 0) {
    sleep(RETRY_SECONDS);
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** @param {import('k6/http').RefinedResponse<any>} response */
function isAcknowledged(response) {
  if (response.status !== 200) {
    return false;
  }
  return !response.body || response.json('success') === true;
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'rest');
}
