// @ts-check
// How many records per second does the event log take over REST, and how fast? Each iteration appends one record over the
// virtual user's kept-alive connection: to its partition of the run's topic where REST_PATH holds {topic}, to the run's
// hash-chained partition where it holds {partition}. docs/reference/k6.md describes the environment.
import { sleep } from 'k6';
import http from 'k6/http';
import { RETRY_SECONDS, TIMEOUT, announceStart, arrivalRate, options as k6Options, restHeaders, settings, summary } from './config.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';
import { PARTITIONS, RecordSource, requireDefaultPayload } from './lib/records.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('rest');

const path = __ENV.REST_PATH || '/api/v1/logs/{partition}';
const isTopic = path.includes('{topic}');
const url = settings.origin + path.replace('{topic}', settings.runId).replace('{partition}', settings.runId);
const params = { headers: { 'Content-Type': 'application/json', ...restHeaders }, timeout: TIMEOUT };
const records = perVu((vu) => new RecordSource({ runId: settings.runId, vu }));

http.setResponseCallback(http.expectedStatuses(200, 201));

export function setup() {
  if (isTopic) {
    const topics = settings.origin + path.slice(0, path.indexOf('/{topic}'));
    const response = http.post(topics, JSON.stringify({ name: settings.runId, numPartitions: PARTITIONS }), params);
    if (response.status !== 201) {
      throw new Error(`topic ${settings.runId} was not created: ${response.status} ${response.body}`);
    }
  }
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  const record = records().next();
  const body = isTopic ? JSON.stringify({ records: [{ partition: records().partition, value: record }], acks: -1 }) : record;
  countSent();
  const response = http.post(url, body, params);
  countAnswer(response.status === 200 || response.status === 201);
  if (response.status === 0) {
    sleep(RETRY_SECONDS);
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'rest');
}
