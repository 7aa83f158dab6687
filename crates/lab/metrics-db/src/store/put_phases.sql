/* Store::put_phases */
INSERT INTO test_phases (
    test_run_id, phase_number, phase_name, target_vus, started_at, duration_seconds,
    total_requests, successful_requests, failed_requests, dropped_iterations,
    throughput_per_sec, error_rate,
    latency_avg_ms, latency_min_ms, latency_max_ms, latency_p50_ms, latency_p90_ms, latency_p95_ms,
    latency_p99_ms, latency_p999_ms, bytes_sent, bytes_received,
    target_cpu_seconds, database_cpu_seconds, generator_cpu_seconds,
    target_memory_avg_mb, target_memory_peak_mb, target_cpu_avg_percent, target_cpu_peak_percent,
    host_steal_seconds)
SELECT $1, phase.*
FROM unnest(
    $2::integer[], $3::text[], $4::integer[], $5::timestamptz[], $6::double precision[],
    $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::double precision[], $12::double precision[],
    $13::double precision[], $14::double precision[], $15::double precision[],
    $16::double precision[], $17::double precision[], $18::double precision[],
    $19::double precision[], $20::double precision[], $21::bigint[], $22::bigint[],
    $23::double precision[], $24::double precision[], $25::double precision[],
    $26::double precision[], $27::double precision[], $28::double precision[],
    $29::double precision[], $30::double precision[]) AS phase
