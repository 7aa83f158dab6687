// @ts-check
// How many balances per second does a REST target answer, and how fast? Each iteration asks for one of the seeded
// accounts over the virtual user's kept-alive connection. docs/reference/balance.md describes the environment.
import { sleep } from 'k6';
import http from 'k6/http';
import { RETRY_SECONDS, TIMEOUT, announceStart, arrivalRate, options as k6Options, restHeaders, settings, summary } from './config.js';
import { AccountSource, requireDefaultPayload } from './lib/accounts.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('rest');

const path = __ENV.REST_PATH || '/api/v1/accounts/{id}/balance';
const [beforeId, afterId] = path.split('{id}');
if (afterId === undefined) {
  throw new Error(`REST_PATH is "${path}"; valid is a path with {id} in the account's place`);
}
const urlBeforeId = settings.origin + beforeId;
const params = { headers: restHeaders, timeout: TIMEOUT };
const accounts = perVu((vu) => new AccountSource({ seed: settings.seed, vu }));

http.setResponseCallback(http.expectedStatuses(200));

export function setup() {
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  const id = accounts().next();
  countSent();
  const response = http.get(urlBeforeId + id + afterId, params);
  countAnswer(isBalanceOf(id, response));
  if (response.status === 0) {
    sleep(RETRY_SECONDS);
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** Under load bodies are discarded and the status alone counts. @param {string} id @param {import('k6/http').RefinedResponse<any>} response */
function isBalanceOf(id, response) {
  if (response.status !== 200) {
    return false;
  }
  return !response.body || (response.json('account') === id && Number.isInteger(response.json('balance')));
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'rest');
}
