// The shape of the page's data (crates/lab/lab-report/src/model.rs) and the two vendored libraries as globals.

declare const Plot: typeof import("@observablehq/plot");
declare const d3: typeof import("d3");

type Interval = { low: number; high: number };
type Latency = Record<"avg" | "min" | "max" | "p50" | "p90" | "p95" | "p99" | "p999", number | null>;
type Cpu = Record<"target" | "database" | "generator", number | null>;
type Phase = { number: number; name: string; vus: number; start_seconds: number; duration_seconds: number };
type Standing = "counted" | "invalid" | "left_out";

type PhaseRow = {
  payload: string; target: number; phase: Phase; trials: number; requests: number; rate: number; error_rate: number;
  latency: Latency; cpu_avg_percent: number | null; cpu_peak_percent: number | null;
  memory_avg_mb: number | null; memory_peak_mb: number | null;
  generator_share: number | null; generator_limited: boolean; cpu_us: Cpu;
  cpu_percent_per_request: number | null; ram_mb_per_request: number | null;
};
type Metric = "rate" | "service CPU" | "p99 latency";
type ScalePoint = {
  mode: string; payload: string; target: number; vus: number; rate: number; p99_ms: number | null; cpu_us: number | null;
  generator_limited: boolean;
};
type ThroughputRow = {
  payload: string; target: number; median: number; interval: Interval | null; relative: number; rank: number | null;
  trials: { run: number; trial: number; rate: number }[]; ranked: boolean; reason: string | null;
};
type CostRow = {
  payload: string; target: number; cpu_us: Cpu; bytes_sent: number | null; bytes_received: number | null;
  memory_avg_mb: number | null; memory_peak_mb: number | null;
};
type Run = {
  id: number; session: string; label: string; target: number; payload: string; trial: number; order: number;
  status: string; standing: Standing; reasons: string[]; rate: number | null; requests: number | null;
  failed: number | null; latency: Latency; cpu_us: Cpu; generator_share: number | null; memory_peak_mb: number | null;
  bytes_sent: number | null; bytes_received: number | null; audit_acknowledged: number | null;
  audit_in_doubt: number | null; audit_stored: number | null; audit_passed: boolean | null; phases: PhaseRow[];
};
type Scenario = { name: string; unit: string; payloads: string[]; targets: number[] };
type Series = { run: number; role: string; t: number[]; cpu: (number | null)[]; memory: (number | null)[] };
type WeirReport = {
  format: string; title: string; mode: string; measures: boolean; think_time_ms: number | null;
  intended_rate: number | null;
  sessions: { id: string }[]; targets: { name: string; scenario: string; protocol: string; color: number }[];
  scenarios: Scenario[]; words: { one: string };
  payloads: string[]; phases: Phase[]; throughput: ThroughputRow[]; phase_rows: PhaseRow[]; cost: CostRow[];
  runs: Run[]; series: Series[]; scaling: ScalePoint[];
};
