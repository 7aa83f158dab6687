// @ts-check
// How long: percentiles of one phase, tails as the load grows; for a smoke run what each answer took.

/** @type {[keyof Latency, string][]} */
const percentiles = [["p50", "50"], ["p90", "90"], ["p95", "95"], ["p99", "99"], ["p999", "99.9"]];

function drawLatency() {
  const chooser = /** @type {HTMLSelectElement | null} */ (document.getElementById("choose-phase"));
  const phase = () => (chooser ? Number(chooser.value) : (report.phases.at(-1)?.number ?? 1));
  chooser?.addEventListener("change", () => document.querySelectorAll('[data-chart="percentiles"]').forEach(redraw));

  multiples("percentiles", "Latency percentiles of each target", (payload) => () => {
    const rows = report.phase_rows
      .filter((row) => row.payload === payload && row.phase.number === phase())
      .flatMap((row) => percentiles.map(([key, percentile]) => ({ ...row, key, percentile })));
    const points = positive(rows, (row) => row.latency[row.key]);
    if (points.length === 0) return null;
    const last = d3.groups(points, (row) => row.target).map(([, group]) => group[group.length - 1]);
    const y = logarithmic(points.map((row) => row.value));
    return {
      height: 244, marginTop: 26, marginLeft: 46, marginBottom: 38, marginRight: roomFor(names),
      x: { type: "point", domain: percentiles.map(([, label]) => label), label: "percentile →", labelOffset: 34 },
      y: y.scale,
      marks: [
        ...leftAxis(y, "↑ ms"),
        Plot.line(points, { x: "percentile", y: "value", z: "target", stroke: (row) => colorOf(row.target), strokeWidth: 2 }),
        Plot.dot(points, { x: "percentile", y: "value", fill: fillOf, stroke: (row) => colorOf(row.target), r: 3.2 }),
        endNames(last, { x: (row) => row.percentile, y: (row) => row.value, target: (row) => row.target }),
        Plot.tip(points, Plot.pointer({ x: "percentile", y: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${phaseTitle(row)}\n${row.percentile} % within ${fig(row.value)} ms` })),
      ],
    };
  });

  multiples("tails", "99th and 95th percentile of each target by number of VUs", (payload) => (width) => {
    const rows = report.phase_rows.filter((row) => row.payload === payload);
    const p99 = positive(rows, (row) => row.latency.p99);
    const p95 = positive(rows, (row) => row.latency.p95);
    if (p99.length === 0) return null;
    const { x, ...frame } = overVus(width, rows);
    const y = logarithmic([...p99, ...p95].map((row) => row.value));
    return {
      ...frame,
      x: x.scale,
      y: y.scale,
      marks: [
        ...leftAxis(y, "↑ ms"),
        bottomAxis(x, "VUs →"),
        Plot.line(p95, { x: (row) => row.phase.vus, y: "value", z: "target", stroke: (row) => colorOf(row.target), strokeWidth: 1.2, strokeDasharray: "4,3" }),
        Plot.line(p99, { x: (row) => row.phase.vus, y: "value", z: "target", stroke: (row) => colorOf(row.target), strokeWidth: 2 }),
        Plot.dot(p99, { x: (row) => row.phase.vus, y: "value", stroke: (row) => colorOf(row.target), fill: fillOf, r: 3.5, strokeWidth: 1.5 }),
        endNames(lastPhases(p99), { x: (row) => row.phase.vus, y: (row) => /** @type {any} */ (row).value, target: (row) => row.target }),
        Plot.tip(p99, Plot.pointer({ x: (row) => row.phase.vus, y: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${phaseTitle(row)}\np99 ${fig(row.value)} ms, p95 ${fig(row.latency.p95)} ms` })),
      ],
    };
  });

  multiples("latency-rate", "99th percentile of each target against its rate", (payload) => () => {
    const rows = positive(report.phase_rows.filter((row) => row.payload === payload && row.rate > 0), (row) => row.latency.p99);
    if (rows.length === 0) return null;
    const lines = d3.groups(rows, (row) => row.target);
    const knees = lines.map(([, group]) => kneeOf(group));
    const x = logarithmic(rows.map((row) => row.rate));
    const y = logarithmic(rows.map((row) => row.value));
    return {
      height: 264, marginTop: 26, marginLeft: 46, marginBottom: 38, marginRight: roomFor(names),
      x: x.scale,
      y: y.scale,
      marks: [
        ...leftAxis(y, "↑ p99, ms"),
        bottomAxis(x, "1/s →"),
        Plot.line(rows, { x: "rate", y: "value", z: "target", stroke: (row) => colorOf(row.target), strokeWidth: 2 }),
        Plot.dot(knees, { x: "rate", y: "value", stroke: (row) => colorOf(row.target), r: 8, strokeWidth: 1.5 }),
        Plot.dot(rows, { x: "rate", y: "value", stroke: (row) => colorOf(row.target), fill: fillOf, r: 3.2 }),
        endNames(lines.map(([, group]) => group[group.length - 1]), { x: (row) => row.rate, y: (row) => row.value, target: (row) => row.target }),
        Plot.tip(rows, Plot.pointer({ x: "rate", y: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${phaseTitle(row)}\n${fig(row.rate)}/s, p99 ${fig(row.value)} ms` })),
      ],
    };
  });

  drawAnswers();
}

/** The knee: the first phase with 95 % of the highest rate. Beyond it more load brings waiting, and nothing else.
 * @template {{ rate: number }} T
 * @param {T[]} rows
 * @returns {T} */
function kneeOf(rows) {
  const most = d3.max(rows, (row) => row.rate) ?? 0;
  return rows.find((row) => row.rate >= 0.95 * most) ?? rows[rows.length - 1];
}

/** Smoke: shortest to longest as a line, the mean as a dot. */
function drawAnswers() {
  for (const figure of document.querySelectorAll('[data-chart="answers"]')) drawAnswersOf(figure);
}

/** @param {Element} figure */
function drawAnswersOf(figure) {
  const scope = scopeOf(figure);
  place(figure, "Shortest, mean and longest answer of each target and payload", (width) => {
    const shown = report.runs.filter((run) => run.standing !== "left_out" && scope.targets.includes(run.target));
    const rows = positive(shown, (run) => run.latency.avg);
    if (rows.length === 0) return null;
    return byPayload(width, rows, scope, {
      label: "ms →",
      axis: logarithmic(rows.flatMap((row) => [row.latency.min ?? row.value, row.latency.max ?? row.value, row.value])),
      marks: (y) => [
        Plot.ruleY(rows, { fy: "payload", y, x1: (row) => row.latency.min ?? row.value, x2: (row) => row.latency.max ?? row.value, stroke: (row) => colorOf(row.target), strokeWidth: 2, strokeOpacity: 0.6 }),
        Plot.dot(rows, { fy: "payload", y, x: "value", fill: (row) => colorOf(row.target), r: 4 }),
        Plot.tip(rows, Plot.pointer({ fy: "payload", y, x: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${nameOf(row.target)}, ${row.payload}\n${fig(row.latency.min)} to ${fig(row.latency.max)} ms, mean ${fig(row.value)} ms` })),
      ],
    });
  });
}

/** Rows of targets under each payload, payload names to the left, target names in a key.
 * @param {number} width
 * @param {{ payload: string, target: number }[]} rows
 * @param {Scenario & { names: string[] }} scope
 * @param {{ label: string, axis: Axis, marks: (y: (row: { target: number }) => string) => any[] }} figure
 * @returns {PlotOptions} */
function byPayload(width, rows, { names, payloads: own, targets }, { label, axis, marks }) {
  const payloads = own.filter((payload) => rows.some((row) => row.payload === payload));
  const y = (/** @type {{ target: number }} */ row) => nameOf(row.target);
  const narrow = width < 460;
  return {
    height: payloads.length * (names.length * 15 + 14) + (narrow ? 60 : 56),
    marginTop: 14, marginLeft: roomFor(payloads), marginRight: narrow ? 12 : roomFor(names), marginBottom: 38,
    x: axis.scale,
    y: { axis: null, domain: names, padding: 0.7 },
    fy: { label: null, domain: payloads, padding: 0.22 },
    marks: [
      // Bands keep the rows of a payload together.
      Plot.frame({ fill: "var(--track)", fillOpacity: 0.55, rx: 4 }),
      Plot.gridX(axis.ticks, { stroke: "var(--line)", strokeOpacity: 1 }),
      bottomAxis(axis, label),
      Plot.axisFy({ anchor: "left", label: null, tickSize: 0, fill: "var(--ink)" }),
      ...marks(y),
      // The names stand at the right of the first payload's rows.
      narrow ? null : Plot.text(targets.map((target) => ({ target, payload: payloads[0] })), { fy: "payload", y, frameAnchor: "right", dx: 10, textAnchor: "start", text: y, fill: (row) => colorOf(row.target), fontWeight: 500 }),
    ],
  };
}
