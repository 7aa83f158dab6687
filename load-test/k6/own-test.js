// @ts-check
// How many of the requests of a user's own weir.toml does a target answer per second as expected, and how fast? Each
// iteration sends the next request of the prepared sequence: one, or steps that depend on each other, which count as one.
// With CHECK=1 each request is sent once, and a line on each says what came back. docs/reference/weir-toml.md.
import exec from 'k6/execution';
import { SharedArray } from 'k6/data';
import { sleep } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { RETRY_SECONDS, announceStart, arrivalRate, connectParams, options as k6Options, settings, summary } from './config.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { OwnGrpc } from './lib/own-grpc.js';
import { SCHEMA, capture, join, readsBody, readsHeaders, uuid, wrongIn } from './lib/own-requests.js';

/** @typedef {import('./lib/own-requests.js').RequestFile} RequestFile */
/** @typedef {import('./lib/own-requests.js').Request} Request */
/** @typedef {import('./lib/own-requests.js').Step} Step */
/** @typedef {import('./lib/own-requests.js').Answer} Answer */
/** @typedef {import('./lib/own-requests.js').Drawn} Drawn */
/** @typedef {import('./lib/own-requests.js').Moment} Moment */

const checking = __ENV.CHECK === '1';

/** @returns {RequestFile} */
function read() {
  const file = JSON.parse(open(__ENV.REQUESTS_FILE));
  if (file.schema !== SCHEMA) {
    throw new Error(`REQUESTS_FILE is of the form ${file.schema}; valid is ${SCHEMA}`);
  }
  return file;
}

// The file is read in the first virtual user alone: the sequence has a thousand requests.
const about = new SharedArray('about', () => {
  const { protocol, proto, env, requests } = read();
  return [{ protocol, proto, env, requests }];
})[0];
/** @type {Drawn[]} */
const sequence = new SharedArray('sequence', () => read().sequence);

export const options = checking
  ? { scenarios: { check: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '2m' } } }
  : k6Options(about.protocol);

const base = settings.origin;
const connection = about.protocol === 'grpc' ? new OwnGrpc({ proto: about.proto, address: `${settings.host}:${settings.port}`, params: connectParams, retrySeconds: RETRY_SECONDS }) : null;

/** What k6 needs to know of a REST step, made once. */
const prepared = about.requests.map(({ steps }) => steps.map(restOf));

/** @param {Step} step */
function restOf(step) {
  const expected = (step.expect.status ?? []).map(([min, max]) => ({ min, max }));
  return {
    body: readsBody(step) || checking,
    headers: readsHeaders(step) || checking,
    callback: expected.length > 0 ? http.expectedStatuses(...expected) : null,
  };
}

/** The variables that the file names, under names of their own: they must not be taken for settings of the lab. */
const variables = Object.fromEntries(about.env.map((name) => [name, __ENV[`WEIR_ENV_${name}`]]));

/** The requests that an audit counts by themselves; null where it counts all. @type {number[] | null} */
const counted = __ENV.COUNTED ? JSON.parse(__ENV.COUNTED) : null;
const countedSent = counted ? new Counter('own_counted_sent') : null;
const countedAcknowledged = counted ? new Counter('own_counted_acknowledged') : null;

/** Numbers below this one belong to earlier runs. */
const counterBase = Number(__ENV.COUNTER_BASE || '0');
/** Virtual users take turns, so that no two send the same number. */
const STRIDE = 4096;
let sent = 0;
let place = -1;

export function setup() {
  return announceStart();
}

export default function () {
  if (checking) {
    return check();
  }
  countLateness(arrivalRate);
  if (place < 0) {
    place = (exec.vu.idInTest * 7919) % sequence.length;
  }
  const drawn = sequence[place];
  place = (place + 1) % sequence.length;
  countSent();
  if (counted?.includes(drawn.r)) {
    countedSent?.add(1);
  }
  return connection ? overGrpc(drawn) : overRest(drawn);
}

/** @returns {Moment} */
function moment() {
  sent += 1;
  const counter = counterBase + (sent - 1) * STRIDE + exec.vu.idInTest;
  return { counter, uuid, run: settings.runId, env: variables, captured: {} };
}

/** @param {Drawn} drawn */
function overRest(drawn) {
  const now = moment();
  const { steps } = about.requests[drawn.r];
  let good = true;
  for (let index = 0; index < steps.length && good; index += 1) {
    const answer = ask(steps[index], drawn, index, now);
    good = wrongIn(steps[index].expect, answer) === '' && capture(steps[index], answer, now.captured) === '';
    if (answer.status === 0) {
      sleep(RETRY_SECONDS);
    }
  }
  settle(drawn, good);
}

/** @param {Drawn} drawn */
async function overGrpc(drawn) {
  const now = moment();
  let good = true;
  for (const step of about.requests[drawn.r].steps) {
    const answer = await call(step, drawn, now);
    good = wrongIn(step.expect, answer) === '' && capture(step, answer, now.captured) === '';
    if (!good) {
      break;
    }
  }
  settle(drawn, good);
}

/** @param {Drawn} drawn @param {boolean} good */
function settle(drawn, good) {
  countAnswer(good);
  if (good && counted?.includes(drawn.r)) {
    countedAcknowledged?.add(1);
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** @param {Step} step @param {Drawn} drawn @param {Moment} now */
function call(step, drawn, now) {
  const message = JSON.parse(join(step.body ?? ['{}'], drawn.v, now));
  const metadata = headersOf(step, drawn, now);
  return /** @type {OwnGrpc} */ (connection).ask(step, message, metadata, checking);
}

/** @param {Step} step @param {Drawn} drawn @param {Moment} now @returns {Record<string, string>} */
function headersOf(step, drawn, now) {
  /** @type {Record<string, string>} */
  const headers = settings.authorization === undefined ? {} : { authorization: settings.authorization };
  for (const [name, value] of step.headers) {
    headers[name] = join(value, drawn.v, now);
  }
  return headers;
}

/** @param {Step} step @param {Drawn} drawn @param {number} index @param {Moment} now @returns {Answer} */
function ask(step, drawn, index, now) {
  const { body: wantsBody, headers: wantsHeaders, callback } = prepared[drawn.r][index];
  const path = join(step.path ?? [], drawn.v, now);
  const body = step.body ? join(step.body, drawn.v, now) : null;
  /** @type {import('k6/http').Params} */
  const params = {
    headers: headersOf(step, drawn, now),
    timeout: `${step.timeout_ms}ms`,
    redirects: 0,
    responseType: wantsBody ? 'text' : 'none',
  };
  if (callback) {
    params.responseCallback = callback;
  }
  const response = http.request(step.method ?? 'GET', base + path, body, params);
  const text = wantsBody ? /** @type {string | null} */ (response.body) : null;
  return {
    status: response.status,
    problem: response.status === 0 ? `no answer: ${response.error}` : undefined,
    headers: wantsHeaders ? lowered(response.headers) : {},
    text,
    json: () => parsed(text),
    ms: response.timings.duration,
    messages: 1,
  };
}

/** @param {Record<string, string>} headers */
function lowered(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** @param {string | null} text */
function parsed(text) {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** Sends each request once, and says on a line of its own what came of each step. */
async function check() {
  for (let number = 0; number < about.requests.length; number += 1) {
    const request = about.requests[number];
    const drawn = sequence.find(({ r }) => r === number) ?? { r: number };
    const now = moment();
    for (let index = 0; index < request.steps.length; index += 1) {
      const step = request.steps[index];
      const answer = connection ? await call(step, drawn, now) : ask(step, drawn, index, now);
      const wrong = wrongIn(step.expect, answer) || capture(step, answer, now.captured);
      const { status, headers, text, ms, messages, problem } = answer;
      const shown = (text ?? '').slice(0, 2000);
      console.log(`weir-check ${JSON.stringify({ request: request.name, step: step.name, status, headers, body: shown, ms, messages, problem, wrong })}`);
      if (wrong) {
        break;
      }
    }
  }
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return checking ? {} : summary(data, about.protocol);
}
