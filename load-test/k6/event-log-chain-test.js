// @ts-check
// How many entries per second does a hash-chained partition take, and how fast? Each iteration appends one entry to the
// run's partition over the virtual user's connection. docs/reference/k6.md describes the environment.
import { sleep } from 'k6';
import grpc from 'k6/net/grpc';
import { RETRY_SECONDS, announceStart, arrivalRate, connectParams, grpcParams, options as k6Options, settings, summary } from './config.js';
import { GrpcConnection } from './lib/grpc-connection.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';
import { RecordSource, requireDefaultPayload } from './lib/records.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('grpc');

const method = `${__ENV.GRPC_SERVICE || 'immutablelog.ImmutableLogService'}/${__ENV.GRPC_METHOD || 'Append'}`;
// An append that is refused is answered with OK and success = false, so the message is read under load too.
const params = grpcParams;
const records = perVu((vu) => new RecordSource({ runId: settings.runId, vu }));
const connection = new GrpcConnection({
  protoDir: settings.protoDir,
  protoFile: __ENV.GRPC_PROTO || 'immutable_log.proto',
  address: `${settings.host}:${settings.port}`,
  params: connectParams,
  retrySeconds: RETRY_SECONDS,
});

export function setup() {
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  // An iteration that is cut off while it connects has sent nothing, hence this order.
  const ready = connection.open();
  countSent();
  countAnswer(ready && isAppended(records().next()));
  if (settings.grpcReconnect) {
    connection.close();
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** @param {string} data */
function isAppended(data) {
  const response = connection.invoke(method, { partition: settings.runId, data }, params);
  const message = /** @type {{ success?: boolean } | null} */ (response.message);
  return response.status === grpc.StatusOK && message?.success === true;
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'grpc');
}
