// @ts-check
// What streams count beside the metrics of all scripts. The audit compares it with what the service says it sent, and any
// event that was missed, repeated or out of order fails the run.
import { Counter } from 'k6/metrics';
import { faultsOf } from './transactions.js';

/** Of all streams, complete or not. */
const received = new Counter('stream_events_received');
/** Numbers between two that came. */
const missed = new Counter('stream_events_missed');
const repeated = new Counter('stream_events_repeated');
/** Came after one with a higher number. */
const outOfOrder = new Counter('stream_events_out_of_order');

/**
 * Counts the events of one stream.
 * @param {number[]} sequences  their numbers in the order received
 * @returns {boolean} whether nothing is wrong with their order
 */
export function countEvents(sequences) {
  received.add(sequences.length);
  const faults = faultsOf(sequences);
  if (faults.missed + faults.repeated + faults.outOfOrder === 0) {
    return true;
  }
  missed.add(faults.missed);
  repeated.add(faults.repeated);
  outOfOrder.add(faults.outOfOrder);
  return false;
}
