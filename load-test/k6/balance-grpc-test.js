// @ts-check
// How many balances per second does a gRPC target answer, and how fast? Each iteration asks for one of the seeded
// accounts over the virtual user's connection. docs/reference/balance.md describes the environment.
import { sleep } from 'k6';
import grpc from 'k6/net/grpc';
import { RETRY_SECONDS, announceStart, arrivalRate, connectParams, grpcParams, options as k6Options, settings, summary } from './config.js';
import { AccountSource, requireDefaultPayload } from './lib/accounts.js';
import { GrpcConnection } from './lib/grpc-connection.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('grpc');

const method = `${__ENV.GRPC_SERVICE || 'benchmark.BalanceService'}/${__ENV.GRPC_METHOD || 'GetBalance'}`;
const params = { ...grpcParams, discardResponseMessage: settings.mode !== 'smoke' };
const accounts = perVu((vu) => new AccountSource({ seed: settings.seed, vu }));
const connection = new GrpcConnection({
  protoDir: settings.protoDir,
  protoFile: __ENV.GRPC_PROTO || 'benchmark.proto',
  address: `${settings.host}:${settings.port}`,
  params: connectParams,
  retrySeconds: RETRY_SECONDS,
});

export function setup() {
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  const id = accounts().next();
  // An iteration that is cut off while it connects has sent nothing, hence this order.
  const ready = connection.open();
  countSent();
  countAnswer(ready && isAnswered(id));
  if (settings.grpcReconnect) {
    connection.close();
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** Under load messages are discarded and the status alone counts. @param {string} id */
function isAnswered(id) {
  const response = connection.invoke(method, { account_id: id }, params);
  if (response.status !== grpc.StatusOK) {
    return false;
  }
  const message = /** @type {{ accountId?: string } | null} */ (response.message);
  return !message || message.accountId === id;
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'grpc');
}
