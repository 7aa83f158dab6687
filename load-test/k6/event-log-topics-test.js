// @ts-check
// How many records per second does a topic take, and how fast? Each iteration produces one record to the virtual user's
// partition of the run's topic over its connection. docs/reference/k6.md describes the environment.
import { sleep } from 'k6';
import { b64encode } from 'k6/encoding';
import grpc from 'k6/net/grpc';
import { RETRY_SECONDS, announceStart, arrivalRate, connectParams, grpcParams, options as k6Options, settings, summary } from './config.js';
import { GrpcConnection } from './lib/grpc-connection.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';
import { PARTITIONS, RecordSource, requireDefaultPayload } from './lib/records.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('grpc');

const service = __ENV.GRPC_SERVICE || 'takhin.v1.TakhinService';
const method = `${service}/${__ENV.GRPC_METHOD || 'ProduceMessage'}`;
// A record that is refused is answered with OK and an error, so the message is read under load too.
const params = grpcParams;
const records = perVu((vu) => new RecordSource({ runId: settings.runId, vu }));
const connection = new GrpcConnection({
  protoDir: settings.protoDir,
  protoFile: __ENV.GRPC_PROTO || 'takhin.proto',
  address: `${settings.host}:${settings.port}`,
  params: connectParams,
  retrySeconds: RETRY_SECONDS,
});

export function setup() {
  if (!connection.open()) {
    throw new Error(`cannot connect to ${settings.host}:${settings.port}`);
  }
  const topic = { name: settings.runId, num_partitions: PARTITIONS };
  const response = connection.invoke(`${service}/CreateTopic`, topic, params);
  const message = /** @type {{ success?: boolean, error?: string } | null} */ (response.message);
  if (response.status !== grpc.StatusOK || message?.success !== true) {
    throw new Error(`topic ${settings.runId} was not created: ${message?.error || JSON.stringify(response.error)}`);
  }
  connection.close();
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  // An iteration that is cut off while it connects has sent nothing, hence this order.
  const ready = connection.open();
  countSent();
  countAnswer(ready && isProduced(records().next()));
  if (settings.grpcReconnect) {
    connection.close();
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** @param {string} text */
function isProduced(text) {
  const record = { value: b64encode(text) };
  const request = { topic: settings.runId, partition: records().partition, record, required_acks: -1, timeout_ms: 5000 };
  const response = connection.invoke(method, request, params);
  const message = /** @type {{ error?: string } | null} */ (response.message);
  return response.status === grpc.StatusOK && message !== null && !message.error;
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'grpc');
}
