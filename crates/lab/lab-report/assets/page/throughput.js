// @ts-check
// How much: relative bars with a dot a trial and an interval; the rate of each phase.

function drawThroughput() {
  for (const figure of document.querySelectorAll('[data-chart="rates"]')) drawRates(figure);
  if (!document.querySelector('[data-chart="rates"]')) return;
  drawPhaseRates();
}

/** @param {Element} figure */
function drawRates(figure) {
  const { names, payloads, targets } = scopeOf(figure);
  place(figure, "Throughput of each target, relative to the best of each payload", (width) => {
    const rows = report.throughput.filter((row) => targets.includes(row.target));
    if (rows.length === 0) return null;
    // On a narrow page names and values share the line above their bar.
    const narrow = width < 620;
    const several = report.payloads.length > 1;
    const best = d3.rollup(rows, (group) => d3.max(group, (row) => row.median) ?? 1, (row) => row.payload);
    const dots = rows.flatMap((row) =>
      row.trials.map((trial) => ({ ...row, ...trial, relative: trial.rate / (best.get(row.payload) || 1) })),
    );
    const bands = rows.flatMap((row) =>
      row.interval ? [{ ...row, low: row.interval.low / (best.get(row.payload) || 1), high: row.interval.high / (best.get(row.payload) || 1) }] : [],
    );
    const end = Math.max(1, d3.max(dots, (dot) => dot.relative) ?? 1, d3.max(bands, (band) => band.high) ?? 1);
    const y = (/** @type {{ target: number }} */ row) => nameOf(row.target);
    const value = (/** @type {ThroughputRow} */ row) => `${fig(row.median)}/s   ${row.relative.toFixed(2)}`;
    const inset = narrow ? { insetTop: 21, insetBottom: 3 } : { insetTop: 4, insetBottom: 4 };
    const lift = narrow ? 9 : 0;
    return {
      height: rows.length * (narrow ? 42 : 28) + payloads.length * (several ? 26 : 6) + 34,
      marginTop: several ? 20 : 6,
      marginLeft: narrow ? 6 : roomFor(names),
      marginRight: narrow ? 10 : 112,
      marginBottom: 26,
      x: { domain: [0, end * 1.01], tickFormat: ".0%", label: null, ticks: 5 },
      y: { label: null, domain: names, tickSize: 0, padding: narrow ? 0 : 0.1, ...(narrow ? { axis: null } : {}) },
      fy: { axis: null, domain: payloads, padding: several ? 0.24 : 0 },
      marks: [
        several ? Plot.text(payloads, { fy: (payload) => payload, text: payloadTitle, frameAnchor: "top-left", dx: narrow ? 0 : 1, dy: -13, fill: "var(--dim)", fontWeight: 600 }) : null,
        Plot.barX(rows, { fy: "payload", y, x1: 0, x2: "relative", fill: (row) => colorOf(row.target), fillOpacity: (row) => (row.ranked ? 0.3 : 0.1), stroke: (row) => (row.ranked ? "none" : colorOf(row.target)), strokeDasharray: "3,3", ...inset }),
        Plot.ruleY(bands, { fy: "payload", y, x1: "low", x2: "high", stroke: (row) => colorOf(row.target), strokeWidth: 2, dy: lift }),
        Plot.dot(dots, {
          fy: "payload", y, x: "relative", r: 3.2, dy: lift,
          fill: (row) => (row.ranked ? colorOf(row.target) : "var(--card)"), stroke: (row) => colorOf(row.target), fillOpacity: 0.85,
        }),
        narrow
          ? Plot.text(rows, { fy: "payload", y, x: 0, dy: -lift - 2, textAnchor: "start", text: y, fill: (row) => colorOf(row.target), fontWeight: 500 })
          : null,
        Plot.text(rows, { fy: "payload", y, frameAnchor: "right", textAnchor: narrow ? "end" : "start", dx: narrow ? 0 : 12, dy: narrow ? -lift - 2 : 0, text: value, fill: "var(--ink)" }),
        Plot.tip(dots, Plot.pointer({ fy: "payload", y, x: "relative", dy: lift, fill: "var(--card)", stroke: "var(--line)", title: (row) => `${nameOf(row.target)}, ${row.payload}, trial ${row.trial}\n${fig(row.rate)}/s, ${row.relative.toFixed(2)} of the best` })),
      ],
    };
  });
}

function drawPhaseRates() {
  multiples("phase-rates", "Rate of each target by phase", (payload) => (width) => {
    const rows = report.phase_rows.filter((row) => row.payload === payload);
    if (rows.length === 0) return null;
    const pause = report.think_time_ms;
    const bound = pause ? report.phases.map((phase) => ({ vus: phase.vus, rate: (phase.vus * 1000) / pause })) : [];
    const { x, ...frame } = overVus(width, rows);
    return {
      ...frame,
      x: x.scale,
      y: { grid: true, zero: true, label: "↑ 1/s", labelOffset: 40, tickFormat: tick, ticks: 5 },
      marks: [
        bottomAxis(x, "VUs →"),
        Plot.lineY(bound, { x: "vus", y: "rate", stroke: "var(--dim)", strokeDasharray: "3,4" }),
        Plot.line(rows, { x: (row) => row.phase.vus, y: "rate", stroke: (row) => colorOf(row.target), z: "target", strokeWidth: 2 }),
        Plot.dot(rows, { x: (row) => row.phase.vus, y: "rate", stroke: (row) => colorOf(row.target), fill: fillOf, r: 3.5, strokeWidth: 1.5 }),
        endNames(lastPhases(rows), { x: (row) => row.phase.vus, y: (row) => row.rate, target: (row) => row.target }),
        Plot.tip(rows, Plot.pointer({ x: (row) => row.phase.vus, y: "rate", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${phaseTitle(row)}\n${fig(row.rate)}/s` })),
      ],
    };
  });
}

/** What figures over the number of VUs share.
 * @param {number} width
 * @param {PhaseRow[]} rows */
function overVus(width, rows) {
  const vus = [...new Set(rows.map((row) => row.phase.vus))].sort((a, b) => a - b);
  // Ticks at the phases; where they crowd, every second from the end.
  const ticks = vus.length > 5 && width < 420 ? vus.filter((_, k) => (vus.length - 1 - k) % 2 === 0) : vus;
  /** @type {Axis} */
  const x = { scale: { type: "log", domain: [vus[0], vus[vus.length - 1]], axis: null }, ticks };
  return { height: 244, marginTop: 26, marginLeft: 46, marginBottom: 38, marginRight: roomFor(names), x };
}

/** The last phase of each target.
 * @param {PhaseRow[]} rows */
function lastPhases(rows) {
  return d3.groups(rows, (row) => row.target).map(([, group]) => group[group.length - 1]);
}

/** @param {PhaseRow} row */
function phaseTitle(row) {
  const limit = row.generator_limited ? "\nthe generator was the limit" : "";
  return `${nameOf(row.target)}, ${row.phase.name}: ${loadOf(row.phase)}${limit}`;
}
