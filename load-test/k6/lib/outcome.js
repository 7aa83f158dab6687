// @ts-check
// The lab's own metrics, the same for both protocols, since k6 has no gRPC counterpart of `http_reqs` and
// `http_req_failed`. The audit compares them with the database:
// acknowledged <= stored <= acknowledged + (sent - acknowledged).
import { Counter, Rate } from 'k6/metrics';

/** Attempts: counted before the request, so that one whose answer never came is in doubt and not forgotten. */
const sent = new Counter('events_sent');
/** Answered with success: the service says that the event is durable. */
const acknowledged = new Counter('events_acknowledged');
/** Attempts that ended in an error, a timeout or no connection. */
const failedTotal = new Counter('events_failed_total');
/** Share of attempts that failed, for the threshold. */
const failed = new Rate('events_failed');

export function countSent() {
  sent.add(1);
}

/** @param {boolean} success */
export function countAnswer(success) {
  (success ? acknowledged : failedTotal).add(1);
  failed.add(!success);
}
