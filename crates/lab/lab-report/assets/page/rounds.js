// @ts-check
// Round by round: a dot a trial, and a line between the trials of one round. Lines that all lean the same way are a difference.

/** What is compared, and where a run has it.
 * @type {Record<Metric, { of: (run: Run) => number | null, label: string }>} */
const figures = {
  rate: { of: (run) => run.rate, label: "1/s" },
  "service CPU": { of: (run) => run.cpu_us.target, label: "µs" },
  "p99 latency": { of: (run) => run.latency.p99, label: "ms" },
};

function drawRounds() {
  for (const grid of document.querySelectorAll('[data-charts="rounds"]')) {
    const metric = /** @type {Metric} */ (grid.getAttribute("data-metric"));
    cardsOf(grid, `Each round, ${metric}`, (payload) => (width) => roundsOf(metric, payload, width), (payload) => (report.payloads.length > 1 ? `${metric}, ${payloadTitle(payload)}` : metric));
  }
}

/** @param {Metric} metric
 * @param {string} payload
 * @param {number} width
 * @returns {PlotOptions | null} */
function roundsOf(metric, payload, width) {
  const { of, label } = figures[metric];
  const runs = report.runs.filter((run) => run.payload === payload && run.standing === "counted");
  const rows = positive(runs, of).map((row) => ({ ...row, round: `${row.session} ${row.trial}` }));
  const targets = d3.sort(new Set(rows.map((row) => row.target)), d3.ascending);
  if (targets.length < 2) return null;
  const y = logarithmic(rows.map((row) => row.value));
  const x = (/** @type {{ target: number }} */ row) => nameOf(row.target);
  const wide = roomFor(targets.map(nameOf)) * targets.length < width;
  return {
    height: 260, marginTop: 26, marginLeft: 52, marginBottom: wide ? 30 : 64, marginRight: 24,
    x: { type: "point", domain: targets.map(nameOf), axis: null, padding: 0.35 },
    y: y.scale,
    marks: [
      ...leftAxis(y, `↑ ${label}`),
      Plot.axisX(targets.map(nameOf), { label: null, tickSize: 0, tickRotate: wide ? 0 : -24, fill: "var(--ink)" }),
      Plot.line(d3.sort(rows, (row) => row.target), { x, y: "value", z: "round", stroke: "var(--dim)", strokeOpacity: 0.45, strokeWidth: 1 }),
      Plot.dot(rows, { x, y: "value", fill: (row) => colorOf(row.target), r: 3.2, fillOpacity: 0.85 }),
      Plot.tip(rows, Plot.pointer({ x, y: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${nameOf(row.target)}, round ${row.trial}\n${fig(row.value)} ${label}` })),
    ],
  };
}
