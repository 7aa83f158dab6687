// @ts-check
// A k6 script of the user's own under the lab's phases, rates and metrics: `weir` writes this file once for each scenario
// that names a script, with the script's path in the place of './user.js'. The user's default function is one request: it has
// failed where it throws or returns false. docs/reference/weir-toml.md.
import { sleep } from 'k6';
import { announceStart, arrivalRate, options as k6Options, settings, summary } from './config.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
// @ts-ignore: there is no such file here.
import * as user from './user.js';

const protocol = __ENV.PROTOCOL === 'grpc' ? 'grpc' : 'rest';

// The script reads its answers.
export const options = { ...k6Options(protocol), discardResponseBodies: false };

export function setup() {
  const data = user.setup ? user.setup() : undefined;
  return { ...announceStart(), data };
}

/** @param {{ data: unknown }} own */
export default async function ({ data }) {
  countLateness(arrivalRate);
  countSent();
  let good = false;
  try {
    good = (await user.default(data)) !== false;
  } catch (error) {
    console.error(String(error));
  }
  countAnswer(good);
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** @param {{ data: unknown }} own */
export function teardown({ data }) {
  if (user.teardown) {
    user.teardown(data);
  }
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, protocol);
}
