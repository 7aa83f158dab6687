-- The metrics database (`performance_metrics`): what the lab keeps of every run.
-- Applied by crates/metrics-db under an advisory lock. A run is one cell of a session's matrix
-- (target x payload x trial); deleting it deletes all that hangs on it.

CREATE TABLE test_sessions (
    id           text PRIMARY KEY,                       -- sortable: UTC time and a random suffix, e.g. 20261121T104205Z-3f9a
    command      text        NOT NULL,                   -- the command line that repeats the session
    seed         bigint      NOT NULL,                   -- of the generator and of the order of the cells
    runtime      text        NOT NULL CHECK (runtime IN ('docker', 'native', 'external')),
    git_commit   text,                                   -- null outside a git checkout; '+dirty' appended where files differ
    environment  jsonb       NOT NULL DEFAULT '{}',      -- kernel, CPU, limits, versions, settings: what the fingerprint hashes
    fingerprint  text        NOT NULL DEFAULT '',        -- SHA-256 (hex) over the canonical environment
    started_at   timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz
);

CREATE TABLE test_runs (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id     text        REFERENCES test_sessions (id) ON DELETE CASCADE,
    api_name       text        NOT NULL,                 -- the target's name in targets.toml
    scenario       text        NOT NULL DEFAULT 'ingest',
    test_mode      text        NOT NULL,                 -- smoke, full, saturation, compare
    payload_size   text        NOT NULL DEFAULT 'default', -- default, 4k, 8k, 32k, 64k
    protocol       text        NOT NULL,                 -- rest, grpc, sse
    language       text,
    framework      text,
    driver         text        NOT NULL DEFAULT 'k6',    -- what made the load: k6, benchmark
    run_label      text        NOT NULL UNIQUE,          -- the run id that every event of the run carries
    trial          integer     NOT NULL DEFAULT 1,       -- from 1
    run_order      integer     NOT NULL DEFAULT 1,       -- place within the session, from 1
    seed           bigint      NOT NULL DEFAULT 0,
    phase_scale    double precision NOT NULL DEFAULT 1,  -- PHASE_SCALE; runs of different scale are never mixed
    status         text        NOT NULL DEFAULT 'running'
                   CHECK (status IN ('running', 'completed', 'failed', 'aborted')),
    started_at     timestamptz NOT NULL DEFAULT now(),
    measured_from  timestamptz,                          -- start of the first phase, once known
    completed_at   timestamptz,
    duration_seconds double precision,                   -- of the measured phases
    error_message  text,
    sampling       jsonb,                                -- what stats-sidecar reads, see metrics_db::Sampling
    valid          boolean,                              -- null until judged; false takes part in no ranking
    invalid_reasons text[]     NOT NULL DEFAULT '{}',    -- sentences; the report shows them
    checks         jsonb       NOT NULL DEFAULT '[]',    -- every check with its figure, see metrics_db::Check
    audit_acknowledged bigint,                           -- events that the generator counted as acknowledged
    audit_in_doubt bigint,                               -- events sent whose answer was an error or never came
    audit_stored   bigint,                               -- events of this run found in the application database
    audit_passed   boolean,
    database_stats jsonb                                 -- rows, wal_bytes, checkpoints of the application database over the run
);
CREATE INDEX test_runs_api_name_idx ON test_runs (api_name, started_at DESC);
CREATE INDEX test_runs_session_idx ON test_runs (session_id);

CREATE TABLE performance_metrics (
    test_run_id    bigint PRIMARY KEY REFERENCES test_runs (id) ON DELETE CASCADE,
    total_requests bigint NOT NULL,
    successful_requests bigint NOT NULL,
    failed_requests bigint NOT NULL,
    dropped_iterations bigint NOT NULL DEFAULT 0,        -- arrival-rate executors: iterations that could not start in time
    intended_per_sec double precision,                   -- open model only
    throughput_per_sec double precision NOT NULL,        -- successful requests a second of measured time
    error_rate     double precision NOT NULL,            -- 0 to 1
    -- latency of successful requests, milliseconds
    latency_avg_ms double precision, latency_min_ms double precision, latency_max_ms double precision,
    latency_p50_ms double precision, latency_p90_ms double precision, latency_p95_ms double precision,
    latency_p99_ms double precision, latency_p999_ms double precision,
    bytes_sent     bigint,                               -- by the generator, whole run, on the wire above TCP
    bytes_received bigint,
    histogram      bytea                                 -- HdrHistogram V2, microseconds; null where the driver keeps none (k6)
);

CREATE TABLE test_phases (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    test_run_id    bigint NOT NULL REFERENCES test_runs (id) ON DELETE CASCADE,
    phase_number   integer NOT NULL,                     -- from 1
    phase_name     text    NOT NULL,                     -- e.g. 'baseline'
    target_vus     integer NOT NULL,                     -- VUs or connections
    started_at     timestamptz,
    duration_seconds double precision NOT NULL,
    total_requests bigint NOT NULL DEFAULT 0,
    successful_requests bigint NOT NULL DEFAULT 0,
    failed_requests bigint NOT NULL DEFAULT 0,
    dropped_iterations bigint NOT NULL DEFAULT 0,
    throughput_per_sec double precision NOT NULL DEFAULT 0,
    error_rate     double precision NOT NULL DEFAULT 0,
    latency_avg_ms double precision, latency_min_ms double precision, latency_max_ms double precision,
    latency_p50_ms double precision, latency_p90_ms double precision, latency_p95_ms double precision,
    latency_p99_ms double precision, latency_p999_ms double precision,
    bytes_sent     bigint, bytes_received bigint,
    -- CPU-seconds between the phase's boundaries, from cumulative counters
    target_cpu_seconds double precision, database_cpu_seconds double precision, generator_cpu_seconds double precision,
    -- anonymous resident memory of the target within the phase, MiB
    target_memory_avg_mb double precision, target_memory_peak_mb double precision,
    target_cpu_avg_percent double precision, target_cpu_peak_percent double precision, -- 100 is one core
    host_steal_seconds double precision,                 -- taken by the hypervisor, all cores together
    UNIQUE (test_run_id, phase_number)
);

CREATE TABLE resource_metrics (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    test_run_id    bigint NOT NULL REFERENCES test_runs (id) ON DELETE CASCADE,
    role           text    NOT NULL CHECK (role IN ('target', 'database', 'generator', 'host')),
    sampled_at     timestamptz NOT NULL,
    elapsed_seconds double precision NOT NULL,           -- since measured_from, may be negative (warm-up)
    boundary       integer,                              -- k: taken at the end of phase k (0: start of phase 1); null between
    cpu_seconds    double precision NOT NULL,            -- cumulative (host: all cores, not idle)
    cpu_percent    double precision,                     -- since the sample before, 100 is one core
    steal_seconds  double precision,                     -- cumulative, host only
    throttled_seconds double precision,                  -- cumulative, where a cgroup quota applies
    memory_used_mb double precision,                     -- anonymous RSS, MiB
    memory_limit_mb double precision,                    -- null: no limit
    memory_percent double precision,                     -- of the limit, or of the machine where there is none
    network_rx_bytes bigint, network_tx_bytes bigint     -- cumulative; containers only
);
CREATE INDEX resource_metrics_run_idx ON resource_metrics (test_run_id, role, sampled_at);
