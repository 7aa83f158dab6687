// @ts-check
// The page's data, and what every figure shares: names, colours, numbers in words.

/** @type {WeirReport} */
const report = JSON.parse(document.getElementById("weir-data")?.textContent ?? "{}");

/** Colours are CSS variables, so that a figure follows light, dark and paper without being drawn again. */
const colors = report.targets.map((target) => `var(--t${target.color % 8})`);
const names = report.targets.map((target) => target.name);

/** @param {number} target */
const colorOf = (target) => colors[target];
/** @param {number} target */
const nameOf = (target) => names[target];

/** With several scenarios their names stand for payloads.
 * @param {string} payload */
const payloadTitle = (payload) => (report.scenarios.length > 1 ? payload : `${payload} payload`);

/** The load of a phase: at a fixed rate the VUs are only prepared.
 * @param {Phase} phase */
const loadOf = (phase) => (report.intended_rate === null ? `${fig(phase.vus)} VUs` : `${fig(report.intended_rate)}/s`);

/** The scenario that a figure shows: targets of different scenarios are never on one axis.
 * @param {Element} figure
 * @returns {Scenario & { names: string[] }} */
function scopeOf(figure) {
  const wanted = figure.getAttribute("data-scenario");
  const scope = report.scenarios.find((scenario) => scenario.name === wanted) ?? { name: "", unit: "request", payloads: report.payloads, targets: names.map((_, target) => target) };
  return { ...scope, names: scope.targets.map(nameOf) };
}

/** Three significant digits, whole and with thousands separated from 100 on: the same as the tables.
 * @param {number | null | undefined} value */
function fig(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 99.95) return d3.format(",.0f")(value);
  if (value === 0) return "0";
  return String(Number(value.toPrecision(3)));
}

/** Ticks: 1k, 20k, 0.5.
 * @param {number} value */
function tick(value) {
  return Math.abs(value) >= 1000 ? d3.format("~s")(value) : String(Number(value.toPrecision(6)));
}

/** Rows whose value is there and positive, as a logarithmic axis needs it.
 * @template T
 * @param {T[]} rows
 * @param {(row: T) => number | null | undefined} value
 * @returns {(T & { value: number })[]} */
function positive(rows, value) {
  return rows.flatMap((row) => {
    const found = value(row);
    return found !== null && found !== undefined && found > 0 ? [{ ...row, value: found }] : [];
  });
}
