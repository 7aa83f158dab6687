// @ts-check
// The table of trials: sorting, choosing a trial for the time figures, saving the data.

function setUpTrials() {
  const table = /** @type {HTMLTableElement | null} */ (document.getElementById("trial-table"));
  if (!table?.tHead || !table.tBodies[0]) return;
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (heading.classList.contains("nosort")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortBy(table, heading, column));
    heading.replaceChildren(button);
  });
  if (report.series.length > 0) addChoosers(table);
}

/** @param {HTMLTableElement} table
 * @param {HTMLTableCellElement} heading
 * @param {number} column */
function sortBy(table, heading, column) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const value = (/** @type {HTMLTableRowElement} */ row) => {
    const text = row.cells[column].textContent?.trim() ?? "";
    const number = Number.parseFloat(text.replaceAll(",", ""));
    // `4k` is a payload, `20261121T…` a session.
    return Number.isNaN(number) || /^\d+[kT]/.test(text) ? text : number;
  };
  const missing = (/** @type {string | number} */ found) => found === "–" || found === "";
  const rows = [...body.rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    // What is not known stays at the end in both directions.
    if (missing(left) || missing(right)) return Number(missing(left)) - Number(missing(right));
    const order = typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right), "en", { numeric: true });
    return up ? order : -order;
  });
  body.append(...rows);
  for (const other of table.tHead?.rows[0].cells ?? []) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
}

/** @param {HTMLTableElement} table */
function addChoosers(table) {
  const heading = document.createElement("th");
  heading.className = "js nosort";
  heading.textContent = "over time";
  const last = table.tHead?.rows[0].cells.length ?? 1;
  table.tHead?.rows[0].insertBefore(heading, table.tHead.rows[0].cells[last - 1]);
  for (const row of table.tBodies[0].rows) {
    const run = report.runs.find((candidate) => String(candidate.id) === row.dataset.run);
    const cell = document.createElement("td");
    cell.className = "js";
    if (run && isSampled(run)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "show";
      button.textContent = "show";
      button.setAttribute("aria-label", `Show ${nameOf(run.target)}, ${run.payload}, ${trialTitle(run)} over time`);
      button.addEventListener("click", () => showRun(run));
      cell.append(button);
    }
    row.insertBefore(cell, row.cells[row.cells.length - 1]);
  }
}

/** The columns of `weir report --format csv`, but for those that only the tables hold. */
function csv() {
  const columns = ["session", "run", "label", "target", "payload", "mode", "trial", "order", "status", "standing", "reasons", "requests", "failed", "rate_per_s", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "cpu_target_us", "cpu_database_us", "cpu_generator_us", "generator_share", "memory_peak_mb", "bytes_sent", "bytes_received", "acknowledged", "in_doubt", "stored", "audit_passed"];
  const quote = (/** @type {unknown} */ value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = report.runs.map((run) => [run.session, run.id, run.label, nameOf(run.target), run.payload, report.mode, run.trial, run.order, run.status, run.standing, run.reasons.join("; "), run.requests, run.failed, run.rate, run.latency.p50, run.latency.p90, run.latency.p95, run.latency.p99, run.latency.p999, run.cpu_us.target, run.cpu_us.database, run.cpu_us.generator, run.generator_share, run.memory_peak_mb, run.bytes_sent, run.bytes_received, run.audit_acknowledged, run.audit_in_doubt, run.audit_stored, run.audit_passed]);
  return [columns, ...rows].map((row) => row.map(quote).join(",")).join("\n") + "\n";
}

/** Makes a link save `text()` as a file.
 * @param {string} id
 * @param {string} ending
 * @param {string} type
 * @param {() => string} text */
function saves(id, ending, type, text) {
  const link = /** @type {HTMLAnchorElement | null} */ (document.getElementById(id));
  if (!link) return;
  link.download = `weir-${report.sessions.map((session) => session.id).join("+")}.${ending}`;
  link.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([text()], { type }));
    link.href = url;
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
}
