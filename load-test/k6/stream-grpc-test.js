// @ts-check
// How many replayed streams per second does a target send over gRPC, and how fast? Each iteration opens a stream of
// STREAM_LIMIT seeded transactions over the virtual user's connection and reads it to its end.
// docs/reference/stream.md describes the environment.
import { sleep } from 'k6';
import { Stream } from 'k6/net/grpc';
import { RETRY_SECONDS, announceStart, arrivalRate, connectParams, grpcParams, options as k6Options, settings, summary } from './config.js';
import { GrpcConnection } from './lib/grpc-connection.js';
import { countLateness } from './lib/open-model.js';
import { countAnswer, countSent } from './lib/outcome.js';
import { perVu } from './lib/per-vu.js';
import { countEvents } from './lib/stream-outcome.js';
import { SinceSource, isReplay, requireDefaultPayload, streamLimit } from './lib/transactions.js';

requireDefaultPayload(settings.payload);

export const options = k6Options('grpc');

const method = `${__ENV.GRPC_SERVICE || 'benchmark.TransactionService'}/${__ENV.GRPC_METHOD || 'StreamTransactions'}`;
const limit = streamLimit(__ENV);
const beginnings = perVu((vu) => new SinceSource({ seed: settings.seed, vu, limit }));
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

export default async function () {
  countLateness(arrivalRate);
  const since = beginnings().next();
  // An iteration that is cut off while it connects has sent nothing, hence this order.
  const ready = connection.open();
  countSent();
  countAnswer(ready && (await isComplete(since)));
  if (settings.grpcReconnect) {
    connection.close();
  }
  if (settings.thinkTimeMs > 0) {
    sleep(settings.thinkTimeMs / 1000);
  }
}

/**
 * Under load the numbers of the events are looked at; a smoke test looks at the events themselves.
 * @param {string} since
 * @returns {Promise<boolean>}
 */
function isComplete(since) {
  return new Promise((resolve) => {
    /** @type {{ timestamp: string, sequence: number, emittedAtUs: number }[]} */
    const events = [];
    /** @type {number[]} */
    const sequences = [];
    let failed = false;
    const stream = new Stream(connection.client, method, grpcParams);
    stream.on('data', (event) => {
      const message = /** @type {{ timestamp: string, sequence: string, emittedAtUs: string }} */ (event);
      const sequence = Number(message.sequence);
      sequences.push(sequence);
      if (settings.mode === 'smoke') {
        events.push({ timestamp: message.timestamp, sequence, emittedAtUs: Number(message.emittedAtUs) });
      }
    });
    stream.on('error', () => {
      failed = true;
      // Maybe the transport's: the next iteration connects anew.
      connection.close();
      countEvents(sequences);
      resolve(false);
    });
    stream.on('end', () => {
      if (failed) {
        return;
      }
      const whole = countEvents(sequences) && sequences.length === limit;
      resolve(whole && (settings.mode !== 'smoke' || isReplay(events, since, limit)));
    });
    stream.write({ since_timestamp: since, limit });
    // Without this the call would not begin.
    stream.end();
  });
}

/** @param {import('./lib/summary.js').SummaryData} data */
export function handleSummary(data) {
  return summary(data, 'grpc', { eventsPerIteration: limit });
}
