// @ts-check
// How it went: CPU and memory over time, one trial of each target, phases as bands.

/** The run shown for each target.
 * @type {Map<number, Run>} */
const shown = new Map();

/** @type {{ role: string, column: "cpu" | "memory", label: string }[]} */
const lines = [
  { role: "target", column: "cpu", label: "↑ service CPU, cores" },
  { role: "target", column: "memory", label: "↑ service memory, MiB" },
  { role: "database", column: "cpu", label: "↑ PostgreSQL CPU, cores" },
  { role: "generator", column: "cpu", label: "↑ generator CPU, cores" },
];

/** @param {Run} run */
const isSampled = (run) => report.series.some((series) => series.run === run.id);

/** The trial with the median rate of each target: of those that count, or else of those that were finished. Under the
 * first payload with a trial that counts, or else the first with samples. */
function chooseMedians() {
  const finished = report.runs.filter((run) => run.standing !== "left_out" && run.rate !== null && isSampled(run));
  const counted = finished.filter((run) => run.standing === "counted");
  const has = (/** @type {Run[]} */ runs) => report.payloads.find((payload) => runs.some((run) => run.payload === payload));
  const payload = has(counted) ?? has(finished);
  for (const [target, all] of d3.groups(finished.filter((run) => run.payload === payload), (run) => run.target)) {
    const best = all.filter((run) => run.standing === "counted");
    const order = d3.sort(best.length > 0 ? best : all, (run) => run.rate ?? 0);
    shown.set(target, order[(order.length - 1) >> 1]);
  }
}

/** Which trial it is, and whether it counts.
 * @param {Run} run */
function trialTitle(run) {
  const session = report.sessions.length > 1 ? ` of ${run.session}` : "";
  const standing = { counted: "", invalid: " (not ranked)", left_out: " (left out)" }[run.standing];
  return `trial ${run.trial}${session}${standing}`;
}

/** Shows a run; the other targets follow to its payload, and to its trial where they have it.
 * @param {Run} run */
function showRun(run) {
  for (const target of report.targets.keys()) {
    if (target === run.target) continue;
    const same = report.runs.filter((other) => other.target === target && other.payload === run.payload && isSampled(other));
    const current = shown.get(target);
    if (current && current.payload === run.payload) continue;
    const sameTrial = same.filter((other) => other.trial === run.trial);
    const partner = sameTrial.find((other) => other.session === run.session) ?? sameTrial[0] ?? same[0];
    if (partner) shown.set(target, partner);
    else shown.delete(target);
  }
  shown.set(run.target, run);
  document.querySelectorAll("#time-charts figure").forEach(redraw);
  markShown();
}

function markShown() {
  const ids = new Set([...shown.values()].map((run) => run.id));
  for (const row of document.querySelectorAll("#trial-table tr[data-run]")) {
    const on = ids.has(Number(row.getAttribute("data-run")));
    row.classList.toggle("shown", on);
    row.querySelector("button.show")?.setAttribute("aria-pressed", String(on));
  }
  const said = document.getElementById("time-shown");
  if (!said) return;
  said.replaceChildren("Shown: ");
  [...shown.entries()].sort(([a], [b]) => a - b).forEach(([target, run], place) => {
    const link = document.createElement("a");
    link.href = `#run-${run.id}`;
    link.className = `t${report.targets[target].color % 8}`;
    link.textContent = `${nameOf(target)}, ${run.payload}, ${trialTitle(run)}`;
    said.append(place > 0 ? "; " : "", link);
  });
}

function drawTime() {
  const card = document.getElementById("time-charts");
  if (!card || report.series.length === 0) return;
  chooseMedians();
  const present = lines.filter(({ role, column }) =>
    report.series.some((series) => series.role === role && series[column].some((value) => value !== null)),
  );
  present.forEach((line, place) => drawLine(card, line, place === 0, place === present.length - 1));
  markShown();
}

/** @param {Element} card
 * @param {{ role: string, column: "cpu" | "memory", label: string }} line
 * @param {boolean} first
 * @param {boolean} last */
function drawLine(card, { role, column, label }, first, last) {
  const figure = document.createElement("figure");
  figure.dataset.chart = "time";
  card.append(figure);
  place(figure, `${label.replace("↑ ", "")} over time, one trial of each target`, (width) => {
    const runs = [...shown.values()];
    const bands = report.phases.map((phase) => ({ ...phase, end: phase.start_seconds + phase.duration_seconds }));
    const end = bands.at(-1)?.end ?? Infinity;
    const points = runs.flatMap((run) =>
      report.series
        .filter((series) => series.run === run.id && series.role === role)
        .flatMap((series) => series.t.map((t, k) => ({ t, value: series[column][k], target: run.target, run })))
        // Times are rounded to a tenth.
        .filter((point) => point.value !== null && point.t <= end + 0.05),
    );
    const ends = d3.groups(points, (point) => point.target).map(([, group]) => group[group.length - 1]);
    const wideEnough = (/** @type {{ duration_seconds: number }} */ band) => (band.duration_seconds / (bands.at(-1)?.end ?? 1)) * (width - 46 - roomFor(names)) > 58;
    return {
      height: (first ? 176 : 142) + (last ? 14 : 0),
      marginTop: first ? 38 : 24, marginLeft: 46, marginRight: roomFor(names), marginBottom: last ? 36 : 22,
      x: { label: last ? "seconds →" : null, labelOffset: 32, domain: [0, bands.at(-1)?.end ?? d3.max(points, (point) => point.t) ?? 1], ticks: Math.max(3, Math.round(width / 90)) },
      y: { grid: true, zero: true, label, tickFormat: tick, ticks: 4 },
      marks: [
        Plot.rect(bands.filter((_, k) => k % 2 === 1), { x1: "start_seconds", x2: "end", fill: "var(--track)" }),
        first ? Plot.text(bands.filter(wideEnough), { x: (band) => (band.start_seconds + band.end) / 2, frameAnchor: "top", dy: -12, text: (band) => loadOf(band), fill: "var(--dim)" }) : null,
        Plot.lineY(points, { x: "t", y: "value", z: "target", stroke: (point) => colorOf(point.target), strokeWidth: 1.6 }),
        endNames(ends, { x: (point) => point.t, y: (point) => point.value, target: (point) => point.target }),
        Plot.ruleX(points, Plot.pointerX({ x: "t", stroke: "var(--dim)", strokeDasharray: "2,3" })),
        Plot.tip(points, Plot.pointer({ x: "t", y: "value", fill: "var(--card)", stroke: "var(--line)", title: (point) => `${nameOf(point.target)}, ${trialTitle(point.run)}\n${fig(point.t)} s: ${fig(point.value)} ${column === "cpu" ? "cores" : "MiB"}` })),
      ],
    };
  });
}
