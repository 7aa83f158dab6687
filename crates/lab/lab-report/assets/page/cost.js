// @ts-check
// What it costs: CPU per request in three parts, bytes per request.

/** @type {[keyof Cpu, string][]} */
const parts = [["target", "service"], ["database", "PostgreSQL"], ["generator", "generator"]];

/** The service has its target's colour; the other two are the same in every bar.
 * @param {{ part: string, target: number }} row */
const partColor = (row) => (row.part === "target" ? colorOf(row.target) : `var(--${row.part})`);

function drawCost() {
  const grid = document.querySelector('[data-charts="cpu"]');
  if (grid) {
    const share = 100 / colors.length;
    const striped = colors.map((color, k) => `${color} ${share * k}% ${share * (k + 1)}%`).join(",");
    key(grid, [
      [`linear-gradient(90deg,${striped})`, "service, in its target's colour"],
      ["var(--database)", "PostgreSQL"],
      ["var(--generator)", "generator"],
    ]);
  }
  multiples("cpu", "CPU microseconds per request: service, database, generator", (payload) => (width) => {
    const rows = report.cost
      .filter((row) => row.payload === payload)
      .flatMap((row) =>
        parts.flatMap(([part, label]) => {
          const us = row.cpu_us[part];
          return us === null ? [] : [{ target: row.target, part, label, us }];
        }),
      );
    if (rows.length === 0) return null;
    const total = d3.max(d3.rollups(rows, (group) => d3.sum(group, (row) => row.us), (row) => row.target), ([, sum]) => sum) ?? 1;
    const targets = [...new Set(rows.map((row) => row.target))];
    const y = (/** @type {{ target: number }} */ row) => nameOf(row.target);
    const stack = { y, x: "us", order: ["service", "PostgreSQL", "generator"], z: "label" };
    return {
      height: targets.length * 44 + 46,
      marginTop: 2, marginLeft: 6, marginRight: 16, marginBottom: 38,
      x: { label: `CPU, µs ${report.words.one} →`, labelOffset: 34, grid: true, domain: [0, total * 1.02], tickFormat: tick, ticks: 5 },
      y: { axis: null, domain: targets.map(nameOf), padding: 0 },
      marks: [
        Plot.barX(rows, Plot.stackX({ .../** @type {any} */ (stack), fill: partColor, insetTop: 20, insetBottom: 4 })),
        Plot.text(targets, { y: nameOf, x: 0, dy: -13, textAnchor: "start", text: nameOf, fill: colorOf, fontWeight: 500 }),
        // A part too thin for its number goes without: the table has it.
        Plot.text(rows, Plot.stackX({ .../** @type {any} */ (stack), text: (/** @type {any} */ row) => ((row.us / total) * width > 32 ? fig(row.us) : ""), dy: 8, fill: (/** @type {any} */ row) => (row.part === "generator" ? "var(--ink)" : "var(--card)"), fontWeight: 500 })),
        Plot.tip(rows, Plot.pointer(Plot.stackX({ .../** @type {any} */ (stack), dy: 8, fill: "var(--card)", stroke: "var(--line)", title: (/** @type {any} */ row) => `${nameOf(row.target)}, ${payloadTitle(payload)}\n${row.label}: ${fig(row.us)} µs ${report.words.one}` }))),
      ],
    };
  });

  for (const figure of document.querySelectorAll('[data-chart="bytes"]')) drawBytes(figure);
}

/** @param {Element} bytes */
function drawBytes(bytes) {
  const scope = scopeOf(bytes);
  const costs = report.cost.filter((row) => scope.targets.includes(row.target));
  const unit = scope.unit.startsWith("e") ? `an ${scope.unit}` : `a ${scope.unit}`;
  place(bytes, `Bytes sent and received per ${scope.unit}, by payload and target`, (width) => {
    const sent = positive(costs, (row) => row.bytes_sent).map((row) => ({ ...row, way: "sent" }));
    const received = positive(costs, (row) => row.bytes_received).map((row) => ({ ...row, way: "received" }));
    const rows = [...sent, ...received];
    if (rows.length === 0) return null;
    return byPayload(width, rows, scope, {
      label: `bytes ${unit} →`,
      axis: logarithmic(rows.map((row) => row.value)),
      marks: (y) => [
        Plot.ruleY(rows, Plot.groupY({ x1: "min", x2: "max" }, /** @type {any} */ ({ fy: "payload", y, x: "value", stroke: (/** @type {any} */ row) => colorOf(row.target), strokeOpacity: 0.35 }))),
        Plot.dot(rows, { fy: "payload", y, x: "value", r: 4, stroke: (row) => colorOf(row.target), strokeWidth: 1.5, fill: (row) => (row.way === "sent" ? colorOf(row.target) : "var(--card)") }),
        Plot.tip(rows, Plot.pointer({ fy: "payload", y, x: "value", fill: "var(--card)", stroke: "var(--line)", title: (row) => `${nameOf(row.target)}, ${row.payload}\n${fig(row.value)} bytes ${row.way} ${unit}` })),
      ],
    });
  });
  const note = document.createElement("figcaption");
  note.textContent = "Filled: sent. Hollow: received.";
  bytes.append(note);
}

/** A key for colours that are no target's.
 * @param {Element} figure
 * @param {[string, string][]} entries */
function key(figure, entries) {
  const list = document.createElement("p");
  list.className = "key";
  for (const [color, text] of entries) {
    const entry = document.createElement("span");
    const swatch = document.createElement("i");
    swatch.style.background = color;
    entry.append(swatch, text);
    list.append(entry);
  }
  figure.before(list);
}
