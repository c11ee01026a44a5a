/** A scatter plot of predicted against true values. */
import { h } from "../ui/dom.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";

const SIZE = 420;
const PLOT = { left: 54, right: 408, top: 10, bottom: 372 };
const TICKS = 5; // about
const REACH = 18; // CSS pixels from a point that a click still selects

/** Return round values between two numbers. */
export function roundValues(low: number, high: number, count = TICKS): number[] {
  const rough = (high - low) / count;
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

/** Return the range of both axes, with a margin. */
export function valueRange(truths: Float32Array, predictions: Float32Array): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of [truths, predictions]) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (!(high >= low)) return [0, 1];
  const margin = 0.04 * (high - low) || Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}

function formatTick(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

/**
 * Create the plot. Points on the diagonal are predicted exactly.
 * @param choose called with the index of a point that was clicked on
 */
export function createScatter({ choose }: { choose: (index: number) => void }) {
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("viewBox", `0 0 ${SIZE} ${SIZE}`);
  drawing.setAttribute("role", "img");
  const element = h("div", { class: "dwe-scatter dwe-plot", "data-testid": "scatter" }, drawing);
  let truths: Float32Array = new Float32Array();
  let predictions: Float32Array = new Float32Array();
  let range: [number, number] = [0, 1];
  const share = (value: number) => (value - range[0]) / (range[1] - range[0]);
  const toX = (value: number) => PLOT.left + share(value) * (PLOT.right - PLOT.left);
  const toY = (value: number) => PLOT.bottom - share(value) * (PLOT.bottom - PLOT.top);

  const nearest = (event: MouseEvent): number => {
    const box = drawing.getBoundingClientRect();
    const scale = SIZE / Math.min(box.width, box.height);
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let [best, distance] = [-1, REACH];
    for (let index = 0; index < truths.length; index += 1) {
      const away = Math.hypot(toX(truths[index] ?? 0) - x, toY(predictions[index] ?? 0) - y);
      if (away < distance) [best, distance] = [index, away];
    }
    return best;
  };
  drawing.addEventListener("click", (event) => {
    const index = nearest(event as MouseEvent);
    if (index >= 0) choose(index);
  });

  const axes = (unit: string) => {
    const values = roundValues(...range);
    const grid = values.flatMap((value) => [
      svg("line", { class: "dwe-grid", x1: PLOT.left, x2: PLOT.right, y1: toY(value), y2: toY(value) }),
      svg("line", { class: "dwe-grid", x1: toX(value), x2: toX(value), y1: PLOT.top, y2: PLOT.bottom }),
      svg("text", { x: PLOT.left - 6, y: toY(value) + 4, "text-anchor": "end" }, formatTick(value)),
      svg("text", { x: toX(value), y: PLOT.bottom + 16, "text-anchor": "middle" }, formatTick(value)),
    ]);
    const [low, high] = range;
    const middle = (PLOT.top + PLOT.bottom) / 2;
    const suffix = unit ? `, ${unit}` : "";
    const titles = [
      svg("text", { x: (PLOT.left + PLOT.right) / 2, y: PLOT.bottom + 36, "text-anchor": "middle" }, `true value${suffix}`),
      svg("text", { transform: `translate(12 ${middle}) rotate(-90)`, "text-anchor": "middle" }, `predicted value${suffix}`),
    ];
    return [...grid, ...titles, svg("line", { class: "dwe-diagonal", x1: toX(low), x2: toX(high), y1: toY(low), y2: toY(high) })];
  };

  /** @param selected the index of the marked point, or -1 */
  const update = (newTruths: Float32Array, newPredictions: Float32Array, unit: string, selected: number) => {
    [truths, predictions] = [newTruths, newPredictions];
    range = valueRange(truths, predictions);
    let points = "";
    truths.forEach((truth, index) => {
      points += `M${toX(truth).toFixed(1)} ${toY(predictions[index] ?? 0).toFixed(1)}h0`;
    });
    const marks = [svg("path", { class: "dwe-points", d: points })];
    const [truth, prediction] = [truths[selected], predictions[selected]];
    if (truth !== undefined && prediction !== undefined) {
      marks.push(svg("line", { class: "dwe-error-line", x1: toX(truth), x2: toX(truth), y1: toY(truth), y2: toY(prediction) }));
      marks.push(svg("circle", { class: "dwe-selected", cx: toX(truth), cy: toY(prediction), r: 5.5 }));
    }
    drawing.replaceChildren(...axes(unit), ...marks);
    drawing.setAttribute(
      "aria-label",
      `Predicted against true values of ${truths.length} photographs; the list beside it has the largest errors`,
    );
  };
  return { element, update };
}
