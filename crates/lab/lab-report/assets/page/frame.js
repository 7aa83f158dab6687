// @ts-check
// How a figure is put on the page: its width, its style, labels at the ends of lines, drawing again on resize.

/** @typedef {import("@observablehq/plot").PlotOptions} PlotOptions */
/** @typedef {(width: number) => (PlotOptions | null)} Draw */

/** @type {Map<Element, { draw: Draw, label: string }>} */
const drawn = new Map();

const frameStyle = { background: "transparent", fontSize: "12px", color: "var(--dim)", overflow: "visible" };

/** Draws into a figure now and whenever its width changes.
 * @param {Element} figure
 * @param {string} label what the figure shows: its text for those who cannot see it
 * @param {Draw} draw */
function place(figure, label, draw) {
  drawn.set(figure, { draw, label });
  redraw(figure);
  widths.observe(figure);
}

/** @param {Element} figure */
function redraw(figure) {
  const entry = drawn.get(figure);
  const width = Math.floor(figure.clientWidth);
  if (!entry || width < 40) return;
  const options = entry.draw(width);
  figure.querySelectorAll(":scope > svg, :scope > .none").forEach((old) => old.remove());
  if (!options) {
    const none = document.createElement("p");
    none.className = "none note";
    none.textContent = "No figures were taken.";
    figure.prepend(none);
    return;
  }
  const svg = Plot.plot({ width, ...options, style: { ...frameStyle } });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${entry.label}. The figures stand in the table that follows.`);
  // Width is set by the container; a viewBox alone scales the type with it.
  svg.setAttribute("data-width", String(width));
  figure.prepend(svg);
}

const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const svg = target.querySelector(":scope > svg");
    if (svg?.getAttribute("data-width") !== String(Math.floor(target.clientWidth))) redraw(target);
  }
});

/** A grid of cards, one a payload, with the payload as heading where there are several.
 * @param {string} kind the value of data-charts
 * @param {string} label
 * @param {(payload: string) => Draw} drawOf */
function multiples(kind, label, drawOf) {
  const grid = document.querySelector(`[data-charts="${kind}"]`);
  if (grid) cardsOf(grid, label, drawOf);
}

/** The cards of one grid.
 * @param {Element} grid
 * @param {string} label
 * @param {(payload: string) => Draw} drawOf
 * @param {(payload: string) => string} titleOf */
function cardsOf(grid, label, drawOf, titleOf = payloadTitle) {
  for (const payload of report.payloads) {
    const card = document.createElement("div");
    card.className = "card";
    const heading = document.createElement("h4");
    heading.textContent = titleOf(payload);
    const figure = document.createElement("figure");
    figure.dataset.chart = grid.getAttribute("data-charts") ?? "";
    card.append(heading, figure);
    grid.append(card);
    place(figure, `${label}, ${payloadTitle(payload)}`, drawOf(payload));
  }
}

/** A logarithmic scale and its ticks. Plot would name only some of them: the axis is a mark of its own.
 * @typedef {{ scale: { type: "log", domain: [number, number], axis: null }, ticks: number[] }} Axis */

/** A scale that names at least three values: 1, 2, 5 within a decade, decades alone beyond three.
 * @param {number[]} values
 * @returns {Axis} */
function logarithmic(values) {
  const low = Math.min(...values) * 0.9;
  const high = Math.max(...values) * 1.1;
  const decades = Math.log10(high / low);
  const steps = decades > 3 ? [1] : decades > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8];
  const ticks = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1)
    .flatMap((decade) => steps.map((step) => Number((step * 10 ** decade).toPrecision(3))))
    .filter((value) => value >= low && value <= high);
  return { scale: { type: "log", domain: [low, high], axis: null }, ticks };
}

/** @param {Axis} axis
 * @param {string} label */
const leftAxis = (axis, label) => [
  Plot.gridY(axis.ticks, { stroke: "var(--line)", strokeOpacity: 1 }),
  Plot.axisY(axis.ticks, { text: tick, label }),
];

/** @param {Axis} axis
 * @param {string} label */
const bottomAxis = (axis, label) => Plot.axisX(axis.ticks, { text: tick, label, labelOffset: 34 });

/** Room for the longest of these names at the end of a line.
 * @param {string[]} labels */
const roomFor = (labels) => 14 + Math.ceil(6.7 * Math.max(0, ...labels.map((label) => label.length)));

/** Names at the ends of lines, in their colours, moved apart where they would overlap.
 * @template T
 * @param {T[]} rows one row a line: its last point
 * @param {{ x: (row: T) => any, y: (row: T) => any, target: (row: T) => number }} channels */
function endNames(rows, { x, y, target }) {
  return Plot.text(
    rows,
    Plot.initializer(
      { x, y, text: (/** @type {T} */ row) => nameOf(target(row)), fill: (/** @type {T} */ row) => colorOf(target(row)), dx: 8, textAnchor: "start", fontWeight: 500 },
      /** @type {any} */ (
        (/** @type {any} */ data, /** @type {any[]} */ facets, /** @type {any} */ channels, /** @type {any} */ scales) => {
          const at = Array.from(channels.y.value, (value) => scales.y(value));
          const end = Math.max(...Array.from(channels.x.value, (value) => scales.x(value)));
          for (const facet of facets) spread(at, facet, 14);
          return {
            data,
            facets,
            channels: { x: { value: at.map(() => end), scale: null }, y: { value: at, scale: null } },
          };
        }
      ),
    ),
  );
}

/** Moves positions apart to at least `gap`, keeping their order and their middle.
 * @param {number[]} at
 * @param {Iterable<number>} members
 * @param {number} gap */
function spread(at, members, gap) {
  const order = [...members].sort((a, b) => at[a] - at[b]);
  for (let round = 0; round < 60; round++) {
    let moved = false;
    for (let k = 1; k < order.length; k++) {
      const missing = gap - (at[order[k]] - at[order[k - 1]]);
      if (missing > 0.01) {
        at[order[k - 1]] -= missing / 2;
        at[order[k]] += missing / 2;
        moved = true;
      }
    }
    if (!moved) return;
  }
}

/** Solid where the figure counts, hollow where the generator was the limit.
 * @param {{ generator_limited: boolean, target: number }} row */
const fillOf = (row) => (row.generator_limited ? "var(--card)" : colorOf(row.target));
