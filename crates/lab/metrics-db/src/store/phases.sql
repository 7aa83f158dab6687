/* Store::phases */
SELECT phase_number, phase_name, target_vus, started_at, duration_seconds,
    total_requests, successful_requests, failed_requests, dropped_iterations,
    throughput_per_sec, error_rate,
    latency_avg_ms, latency_min_ms, latency_max_ms, latency_p50_ms, latency_p90_ms, latency_p95_ms,
    latency_p99_ms, latency_p999_ms, bytes_sent, bytes_received,
    target_cpu_seconds, database_cpu_seconds, generator_cpu_seconds,
    target_memory_avg_mb, target_memory_peak_mb, target_cpu_avg_percent, target_cpu_peak_percent,
    host_steal_seconds
FROM test_phases
WHERE test_run_id = $1
ORDER BY phase_number
