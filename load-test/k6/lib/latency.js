// @ts-check
// Which metric holds latencies. Pure.

/** @typedef {'rest' | 'grpc'} Protocol */

/** Latency of answered successes alone: of a timeout it would say the timeout, of a refusal how fast it came. */
export const LATENCY = {
  rest: { metric: 'http_req_duration', success: 'expected_response:true' },
  grpc: { metric: 'grpc_req_duration', success: 'status:0' },
};

/**
 * The submetric that holds a phase's latencies of successes.
 * @param {Protocol} protocol
 * @param {string} scenario
 */
export function latencyMetric(protocol, scenario) {
  const { metric, success } = LATENCY[protocol];
  return `${metric}{scenario:${scenario},${success}}`;
}

/**
 * The submetric that holds the latencies of successes over all phases.
 * @param {Protocol} protocol
 */
export function successes(protocol) {
  const { metric, success } = LATENCY[protocol];
  return `${metric}{${success}}`;
}
