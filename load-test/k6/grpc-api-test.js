// @ts-check
// How many events per second does a gRPC target acknowledge, and how fast? Each virtual user connects once and
// keeps its connection. With GRPC_RECONNECT=1 it connects in each iteration instead: a common mistake in
// clients, measured on purpose. docs/reference/k6.md describes the environment and the metrics.
import { sleep } from 'k6';
import grpc from 'k6/net/grpc';
import { RETRY_SECONDS, announceStart, arrivalRate, connectParams, eventSource, grpcParams, grpcRequests, options as k6Options, settings, summary } from './config.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { grpcRequest } from './shared/helpers.js';

export const options = k6Options('grpc');

const address = `${settings.host}:${settings.port}`;
const invokeParams = { ...grpcParams, discardResponseMessage: settings.mode !== 'smoke' };
const requests = grpcRequests();
const events = eventSource();

const client = new grpc.Client();
client.load([settings.protoDir], settings.protoFile);
/** `connect` dials anew at every call and leaks the connection before, hence the flag. */
let connected = false;

export function setup() {
  return announceStart();
}

export default function () {
  countLateness(arrivalRate);
  const request = grpcRequest(requests, events().next());
  // An iteration that is cut off while it connects has sent nothing, hence this order.
  const ready = connect();
  countSent();
  countAnswer(ready && process(request));
  if (settings.grpcReconnect) {
    disconnect();
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/** Connects where there is no connection. @returns {boolean} whether there is one now */
function connect() {
  if (connected) {
    return true;
  }
  try {
    client.connect(address, connectParams);
    connected = true;
  } catch (error) {
    console.error(`cannot connect to ${address}: ${error}`);
    sleep(RETRY_SECONDS);
  }
  return connected;
}

function disconnect() {
  client.close();
  connected = false;
}

/** @param {object} request @returns {boolean} whether the event was acknowledged */
function process(request) {
  const response = client.invoke(settings.grpcMethod, request, invokeParams);
  if (response.status === grpc.StatusOK) {
    const message = /** @type {{ success?: boolean } | null} */ (response.message);
    return !message || message.success === true;
  }
  if (isTransportError(response)) {
    disconnect();
  }
  return false;
}

/**
 * UNAVAILABLE with neither headers nor trailers comes from the client's own transport: the connection is gone.
 * A service that answers UNAVAILABLE (its database is away) sends at least trailers, and keeps its connection.
 * Without a new connection the client would wait between its own attempts for up to two minutes.
 * @param {import('k6/net/grpc').Response} response
 */
function isTransportError({ status, headers, trailers }) {
  return status === grpc.StatusUnavailable && isEmpty(headers) && isEmpty(trailers);
}

/** @param {object} entries */
function isEmpty(entries) {
  return Object.keys(entries).length === 0;
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'grpc');
}
