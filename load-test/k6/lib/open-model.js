// @ts-check
// How late iterations begin that are due at a fixed rate: what the latency, which counts from the moment of sending,
// leaves out. k6 hands out iterations in their order, one every 1/rate seconds from the start of the scenario. One that
// it drops takes no place in `iterationInTest`, so that all later ones seem late by 1/rate more: the check takes that off.
import exec from 'k6/execution';
import { Trend } from 'k6/metrics';

/** Milliseconds, at k6's resolution of one. */
const late = new Trend('iterations_begun_late', true);

/**
 * Counts how late this iteration begins. Nothing in a closed model, where none is due.
 * @param {number | null} rate  per second
 */
export function countLateness(rate) {
  if (rate === null) {
    return;
  }
  const { startTime, iterationInTest } = exec.scenario;
  const due = startTime + (iterationInTest * 1000) / rate;
  late.add(Math.max(0, Date.now() - due));
}
