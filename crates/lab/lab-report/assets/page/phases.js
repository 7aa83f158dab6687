// @ts-check
// Small charts by phase: CPU, memory, CPU and memory of a request. And how targets scale, over sessions of several modes.

/** @type {{ kind: string, label: string, of: (row: PhaseRow) => number | null }[]} */
const resources = [
  { kind: "phase-cpu", label: "CPU %, mean", of: (row) => row.cpu_avg_percent },
  { kind: "phase-memory", label: "memory MiB, mean", of: (row) => row.memory_avg_mb },
  { kind: "phase-cpu-request", label: "CPU % a request", of: (row) => row.cpu_percent_per_request },
  { kind: "phase-ram-request", label: "RAM MB a request", of: (row) => row.ram_mb_per_request },
];

function drawPhases() {
  for (const { kind, label, of } of resources) {
    multiples(kind, `${label} of each target by phase`, (payload) => (width) => {
      const rows = positive(report.phase_rows.filter((row) => row.payload === payload), of);
      if (rows.length === 0) return null;
      const { x, ...frame } = overVus(width, rows);
      return {
        ...frame,
        height: 190,
        x: x.scale,
        y: { grid: true, zero: true, label: `↑ ${label}`, labelOffset: 40, tickFormat: tick, ticks: 4 },
        marks: [
          bottomAxis(x, "VUs →"),
          Plot.line(rows, { x: (row) => row.phase.vus, y: "value", z: "target", stroke: (row) => colorOf(row.target), strokeWidth: 2 }),
          Plot.dot(rows, { x: (row) => row.phase.vus, y: "value", stroke: (row) => colorOf(row.target), fill: fillOf, r: 3 }),
          endNames(lastPhases(rows), { x: (row) => row.phase.vus, y: (row) => /** @type {any} */ (row).value, target: (row) => row.target }),
          Plot.tip(rows, Plot.pointer({ x: (row) => row.phase.vus, y: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${phaseTitle(row)}\n${fig(row.value)} ${label}` })),
        ],
      };
    });
  }
  drawScaling();
}

/** Rate by VUs of every mode that was given: solid without a pause between requests, dashed with one. */
function drawScaling() {
  multiples("scaling", "Rate of each target by number of VUs, of all modes", (payload) => (width) => {
    const rows = positive(report.scaling.filter((row) => row.payload === payload), (row) => row.rate);
    if (rows.length === 0) return null;
    const vus = d3.sort(new Set(rows.map((row) => row.vus)), d3.ascending);
    const ticks = vus.length > 5 && width < 420 ? vus.filter((_, k) => (vus.length - 1 - k) % 2 === 0) : vus;
    /** @type {Axis} */
    const x = { scale: { type: "log", domain: [vus[0], vus[vus.length - 1]], axis: null }, ticks };
    const y = logarithmic(rows.map((row) => row.value));
    const lines = d3.groups(rows, (row) => `${row.mode} ${row.target}`).map(([, group]) => group);
    const last = lines.map((group) => group[group.length - 1]).filter((row) => row.vus === vus[vus.length - 1] || rows.every((other) => other.target !== row.target || other.vus <= row.vus));
    return {
      height: 280, marginTop: 26, marginLeft: 52, marginBottom: 38, marginRight: roomFor(names),
      x: x.scale,
      y: y.scale,
      marks: [
        ...leftAxis(y, "↑ 1/s"),
        bottomAxis(x, "VUs →"),
        ...lines.map((group) =>
          Plot.line(group, { x: "vus", y: "value", stroke: colorOf(group[0].target), strokeWidth: 2, strokeDasharray: group[0].mode === "full" ? "5,4" : undefined }),
        ),
        Plot.dot(rows, { x: "vus", y: "value", stroke: (row) => colorOf(row.target), fill: fillOf, r: 3.2 }),
        endNames(last, { x: (row) => row.vus, y: (row) => row.value, target: (row) => row.target }),
        Plot.tip(rows, Plot.pointer({ x: "vus", y: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${nameOf(row.target)}, ${row.mode}, ${row.vus} VUs\n${fig(row.rate)}/s, p99 ${fig(row.p99_ms)} ms` })),
      ],
    };
  });
}
