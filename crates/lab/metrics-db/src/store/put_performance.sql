/* Store::put_performance */
INSERT INTO performance_metrics (
    test_run_id, total_requests, successful_requests, failed_requests, dropped_iterations,
    intended_per_sec, throughput_per_sec, error_rate,
    latency_avg_ms, latency_min_ms, latency_max_ms, latency_p50_ms, latency_p90_ms, latency_p95_ms,
    latency_p99_ms, latency_p999_ms, bytes_sent, bytes_received, histogram)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (test_run_id) DO UPDATE SET
    total_requests = excluded.total_requests,
    successful_requests = excluded.successful_requests,
    failed_requests = excluded.failed_requests,
    dropped_iterations = excluded.dropped_iterations,
    intended_per_sec = excluded.intended_per_sec,
    throughput_per_sec = excluded.throughput_per_sec,
    error_rate = excluded.error_rate,
    latency_avg_ms = excluded.latency_avg_ms,
    latency_min_ms = excluded.latency_min_ms,
    latency_max_ms = excluded.latency_max_ms,
    latency_p50_ms = excluded.latency_p50_ms,
    latency_p90_ms = excluded.latency_p90_ms,
    latency_p95_ms = excluded.latency_p95_ms,
    latency_p99_ms = excluded.latency_p99_ms,
    latency_p999_ms = excluded.latency_p999_ms,
    bytes_sent = excluded.bytes_sent,
    bytes_received = excluded.bytes_received,
    histogram = excluded.histogram
