/** The reliability diagram: accuracy by confidence (Guo et al. 2017). */
import { h, setText } from "../ui/dom.ts";
import { formatInteger, formatPercent } from "../ui/format.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";
import type { Reliability } from "./wire.ts";

const SIZE = { width: 330, height: 292 };
const PLOT = { left: 40, right: 310, top: 8, bottom: 198 };
const COUNTS = { top: 206, bottom: 250 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];

const LEGEND = "Bars: accuracy; marks: mean confidence; light areas: the gap between them.";

/** Describe the calibration, and the diagram. */
export function describeCalibration({ counts, confidences, accuracies, expected_error: error }: Reliability): string {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!total) return "";
  const mean = (values: (number | null)[]) => counts.reduce((sum, count, bin) => sum + count * (values[bin] ?? 0), 0) / total;
  const [confidence, accuracy] = [mean(confidences), mean(accuracies)];
  const verdict = Math.abs(confidence - accuracy) < 0.01 ? "about as high as" : confidence > accuracy ? "higher than" : "lower than";
  const sure = `On average, the confidence (${formatPercent(confidence)}) is ${verdict} the accuracy (${formatPercent(accuracy)})`;
  return `${sure}; expected calibration error ${formatPercent(error)}. ${LEGEND}`;
}

/** Create the diagram. Bars are accuracies, marks are mean confidences; perfect calibration is the diagonal. */
export function createReliability() {
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("viewBox", `0 0 ${SIZE.width} ${SIZE.height}`);
  drawing.setAttribute("role", "img");
  const text = h("p", { class: "dwc-dim", "data-testid": "calibration-words" });
  const plot = h("div", { class: "dwe-reliability dwe-plot", "data-testid": "reliability" }, drawing);
  const element = h("div", { class: "dwe-calibration" }, h("h4", {}, "Calibration"), plot, text);
  const toX = (share: number) => PLOT.left + share * (PLOT.right - PLOT.left);
  const toY = (share: number) => PLOT.bottom - share * (PLOT.bottom - PLOT.top);

  const axes = () => {
    const lines = TICKS.flatMap((value) => [
      svg("line", { class: "dwe-grid", x1: PLOT.left, x2: PLOT.right, y1: toY(value), y2: toY(value) }),
      svg("text", { x: PLOT.left - 6, y: toY(value) + 4, "text-anchor": "end" }, formatPercent(value)),
      svg("text", { x: toX(value), y: COUNTS.bottom + 15, "text-anchor": "middle" }, formatPercent(value)),
    ]);
    const middle = (PLOT.left + PLOT.right) / 2;
    const titles = [
      svg("text", { x: middle, y: COUNTS.bottom + 33, "text-anchor": "middle" }, "confidence"),
      svg("text", { x: PLOT.left + 4, y: PLOT.top + 10 }, "accuracy"),
      svg("text", { x: PLOT.left + 4, y: COUNTS.top + 10 }, "photographs"),
    ];
    return [...lines, ...titles];
  };

  const createBin = (reliability: Reliability, bin: number, highest: number) => {
    const { edges, counts, confidences, accuracies } = reliability;
    const [count, accuracy, confidence] = [counts[bin] ?? 0, accuracies[bin] ?? null, confidences[bin] ?? null];
    const [low, high] = [edges[bin] ?? 0, edges[bin + 1] ?? 1];
    if (accuracy === null || confidence === null) return [];
    const [x, width] = [toX(low) + 0.5, toX(high) - toX(low) - 1];
    const range = `${formatPercent(low)} to ${formatPercent(high)}`;
    const words = `Confidence ${range}: ${formatInteger(count)} photographs, ${formatPercent(accuracy)} right, mean ${formatPercent(confidence)}`;
    const tall = (count / highest) * (COUNTS.bottom - COUNTS.top);
    const gap = {
      y: toY(Math.max(accuracy, confidence)),
      height: toY(Math.min(accuracy, confidence)) - toY(Math.max(accuracy, confidence)),
    };
    return [
      svg(
        "g",
        {},
        svg("title", {}, words),
        svg("rect", { class: "dwe-hit", x, width, y: PLOT.top, height: COUNTS.bottom - PLOT.top }),
        svg("rect", {
          class: "dwe-accuracy",
          x,
          width,
          y: toY(Math.min(accuracy, confidence)),
          height: PLOT.bottom - toY(Math.min(accuracy, confidence)),
        }),
        svg("rect", { class: accuracy < confidence ? "dwe-gap" : "dwe-gap dwe-underconfident", x, width, ...gap }),
        svg("line", { class: "dwe-confidence", x1: x, x2: x + width, y1: toY(confidence), y2: toY(confidence) }),
        svg("rect", { class: "dwe-count", x, width, y: COUNTS.bottom - tall, height: tall }),
      ),
    ];
  };

  const update = (reliability: Reliability) => {
    const highest = Math.max(1, ...reliability.counts);
    const bins = reliability.counts.flatMap((_, bin) => createBin(reliability, bin, highest));
    const diagonal = svg("line", { class: "dwe-diagonal", x1: toX(0), x2: toX(1), y1: toY(0), y2: toY(1) });
    drawing.replaceChildren(...axes(), ...bins, diagonal);
    setText(text, describeCalibration(reliability));
    drawing.setAttribute("aria-label", `Reliability diagram: accuracy by confidence. ${text.textContent}`);
  };
  return { element, update };
}
