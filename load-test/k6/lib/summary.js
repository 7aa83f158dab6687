// @ts-check
// What a run leaves: k6's summary data with the lab's own part, as JSON, and a few lines for a reader. Pure.
import { latencyMetric } from './latency.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./phases.js').PlannedPhase} PlannedPhase */
/** @typedef {import('./latency.js').Protocol} Protocol */
/** @typedef {{ metrics: Record<string, { values: Record<string, number> }>, state: { testRunDurationMs: number }, setup_data?: { startedAtMs: number } }} SummaryData */

/**
 * @param {SummaryData} data  as k6 passes it to handleSummary
 * @param {Settings} settings
 * @param {PlannedPhase[]} phases
 * @param {Protocol} protocol
 * @param {{ eventsPerIteration?: number }} [own]  what only this script has to say
 * @returns {Record<string, string>} texts by place, as handleSummary returns them
 */
export function summarize(data, settings, phases, protocol, own = {}) {
  const done = phases.map((phase) => ({
    ...phase,
    durationSeconds: phase.durationSeconds ?? data.state.testRunDurationMs / 1000,
  }));
  const weir = {
    mode: settings.mode,
    payload: settings.payload,
    runId: settings.runId,
    seed: Number.isSafeInteger(Number(settings.seed)) ? Number(settings.seed) : settings.seed,
    phaseScale: settings.phaseScale,
    startedAtMs: data.setup_data?.startedAtMs ?? null,
    protocol,
    target: settings.target,
    reconnect: settings.grpcReconnect,
    rate: phases.find(({ rate }) => rate !== null)?.rate ?? null,
    ...own,
    phases: done,
  };
  /** @type {Record<string, string>} */
  const places = { stdout: readable(data, settings, done, protocol) };
  if (settings.summaryPath) {
    places[settings.summaryPath] = `${JSON.stringify({ ...data, weir })}\n`;
  }
  return places;
}

/**
 * @param {SummaryData} data
 * @param {Settings} settings
 * @param {(PlannedPhase & { durationSeconds: number })[]} phases
 * @param {Protocol} protocol
 */
function readable(data, settings, phases, protocol) {
  /** @param {string} metric @param {string} value */
  const read = (metric, value) => data.metrics[metric]?.values[value] ?? 0;
  const lines = phases.map(({ number, name, vus, scenario, durationSeconds }) => {
    const acknowledged = read(`events_acknowledged{scenario:${scenario}}`, 'count');
    const failed = read(`events_failed_total{scenario:${scenario}}`, 'count');
    const latency = latencyMetric(protocol, scenario);
    return (
      `  ${number} ${name}: ${vus} VUs, ${durationSeconds.toFixed(1)} s, ${acknowledged} acknowledged ` +
      `(${(acknowledged / durationSeconds).toFixed(1)}/s), ${failed} failed, ` +
      `p50 ${read(latency, 'p(50)').toFixed(2)} ms, p95 ${read(latency, 'p(95)').toFixed(2)} ms, ` +
      `p99 ${read(latency, 'p(99)').toFixed(2)} ms`
    );
  });
  const title = `${settings.target} ${settings.mode} ${settings.payload} (${protocol}, run ${settings.runId}, seed ${settings.seed})`;
  return `${title}\n${lines.join('\n')}\n`;
}
