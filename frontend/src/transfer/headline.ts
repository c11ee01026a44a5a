/** The mean accuracy of a run, and a scale with the accuracies of its folds, of another run and of the paper. */
import { h, setText } from "../ui/dom.ts";
import { type Accuracy, describeFolds, formatAccuracy, runAccuracy } from "./accuracy.ts";
import type { RunSummary } from "./wire.ts";

const CALIBRATION_HINT =
  "The mean probability of the predicted class, and how often it is the true class, over all test photographs. ECE: expected calibration error, in 15 bins";

export interface ScaleRow extends Accuracy {
  label: string;
  /** The accuracies of the folds, in percent. */
  dots: number[];
  kind: "run" | "other" | "paper";
}

/** Return the range of the scale in percent: multiples of five, with a width of at least ten. */
export function accuracyRange(values: number[]): [number, number] {
  if (!values.length) return [0, 100];
  let low = Math.max(0, Math.floor((Math.min(...values) - 1) / 5) * 5);
  let high = Math.min(100, Math.ceil((Math.max(...values) + 1) / 5) * 5);
  while (high - low < 10) {
    if (high < 100) high += 5;
    else low -= 5;
  }
  return [low, high];
}

/** Return the rows of the scale: the shown run, the compared run, and the paper. */
export function scaleRows(summary: RunSummary, other: RunSummary | null): ScaleRow[] {
  const runRow = (run: RunSummary, kind: "run" | "other"): ScaleRow => {
    const dots = run.per_fold.map((share) => 100 * share);
    return { label: other ? `run ${run.run}` : "this run", ...runAccuracy(run), dots, kind };
  };
  const papers = [...summary.paper, ...(other?.paper ?? [])];
  const distinct = papers.filter((row, index) => papers.findIndex(({ description }) => description === row.description) === index);
  const paperRows = distinct.map(({ description: label, mean, std }): ScaleRow => ({ label, mean, std, dots: [], kind: "paper" }));
  return [runRow(summary, "run"), ...(other?.per_fold.length ? [runRow(other, "other")] : []), ...paperRows];
}

/** Create the scale. */
function createScale() {
  const properties = { role: "table", "aria-label": "Accuracies of the run and of the paper", "data-testid": "accuracies" };
  const element = h("div", { class: "dwt-accuracies", ...properties });
  let drawnKey = "";

  const update = (rows: ScaleRow[]) => {
    const key = JSON.stringify(rows);
    if (key === drawnKey) return;
    drawnKey = key;
    const values = rows.flatMap(({ mean, std, dots }) => [...dots, ...(mean === null ? [] : [mean - (std ?? 0), mean + (std ?? 0)])]);
    const [low, high] = accuracyRange(values);
    const ends = h(
      "span",
      { class: "dwt-scale-labels" },
      ...[String(low), String((low + high) / 2), `${high}%`].map((end) => h("span", {}, end)),
    );
    const axis = h("div", { class: "dwt-row dwt-row-axis", "aria-hidden": "true" }, h("span", {}), ends, h("span", {}));
    element.replaceChildren(...rows.map((row) => createRow(row, low, high)), axis);
  };
  return { element, update };
}

function createRow({ label, mean, std, dots, kind }: ScaleRow, low: number, high: number): HTMLElement {
  const position = (value: number) => `${(100 * (value - low)) / (high - low)}%`;
  const marks = dots.map((dot, fold) => {
    const properties = { title: `fold ${fold + 1}: ${dot.toFixed(1)}%`, "data-testid": `fold-dot-${kind}-${fold}` };
    return h("i", { class: "dwt-dot", style: `left:${position(dot)}`, ...properties });
  });
  if (mean !== null && std !== null) {
    marks.unshift(h("i", { class: "dwt-spread", style: `left:${position(mean - std)};width:${(200 * std) / (high - low)}%` }));
  }
  if (mean !== null) marks.push(h("i", { class: "dwt-mean", style: `left:${position(mean)}` }));
  return h(
    "div",
    { class: `dwt-row dwt-row-${kind}`, role: "row", "data-testid": `row-${kind}` },
    h("span", { class: "dwt-row-label", role: "rowheader", title: label }, label),
    h("span", { class: "dwt-line", "aria-hidden": "true" }, ...marks),
    h("span", { class: "dwc-number", role: "cell" }, formatAccuracy({ mean, std })),
  );
}

/** Create the headline: the mean accuracy, and the scale. */
export function createHeadline() {
  const value = h("div", { class: "dwt-value", "data-testid": "headline" });
  const description = h("div", { class: "dwc-dim" }, "mean accuracy per class");
  const folds = h("div", { class: "dwc-dim", "data-testid": "folds-done" });
  const calibration = h("div", { class: "dwc-dim", title: CALIBRATION_HINT, "data-testid": "calibration" });
  const scale = createScale();
  const result = h("div", { class: "dwt-result" }, value, description, folds, calibration);
  const element = h("div", { class: "dwt-headline" }, result, scale.element);
  const update = (summary: RunSummary, other: RunSummary | null) => {
    const accuracy = runAccuracy(summary);
    setText(value, formatAccuracy(accuracy));
    value.dataset.none = String(accuracy.mean === null);
    setText(folds, describeFolds(summary));
    setText(calibration, summary.calibration?.text ?? "");
    scale.update(scaleRows(summary, other));
  };
  return { element, update };
}
