import { h, setText } from "../ui/dom.ts";
import { counted, duration } from "../ui/format.ts";
import type { RunSummary } from "./wire.ts";

export interface ScaleRow {
  words: string;
  /** percent */
  mean: number | null;
  std: number | null;
  /** each fold's */
  dots: number[];
  kind: "run" | "other" | "paper";
}

/**
 * An accuracy and how far folds differ, in percent.
 * @param std in percent; null where there is nothing to differ
 */
export function accuracyWords(mean: number | null, std: number | null) {
  if (mean === null) return "–";
  return `${mean.toFixed(1)}${std === null ? "" : ` ± ${std.toFixed(1)}`} %`;
}

/** A run's accuracy in percent; one fold alone does not differ from itself. */
export function runAccuracy({ per_fold, mean, std }: Pick<RunSummary, "per_fold" | "mean" | "std">) {
  return { mean: per_fold.length ? 100 * mean : null, std: per_fold.length > 1 ? 100 * std : null };
}

/** What was done of a run. */
export function doneWords({ per_fold, folds, phase, seconds }: RunSummary) {
  const done = per_fold.length;
  const many = done === folds ? counted(folds, "fold") : `${done} of ${counted(folds, "fold")}`;
  const ended = phase === "stopped" ? "stopped" : phase === "failed" ? "failed" : "";
  return [many, ended, seconds > 0 ? duration(seconds) : ""].filter(Boolean).join(" · ");
}

/** A run in a line, to choose it by: what tells runs apart comes first, for a narrow place cuts the end. */
export function runWords(summary: RunSummary) {
  const { run, dataset, layer, images_per_class: images } = summary;
  return `${run} · ${layer} · ${accuracyWords(runAccuracy(summary).mean, null)} · ${images} a class · ${dataset}`;
}

/** The stretch of the scale, in percent, on which all of it can be told apart: multiples of five, at least ten wide. */
export function accuracyRange(values: number[]): [number, number] {
  if (!values.length) return [0, 100];
  let low = Math.max(0, Math.floor((Math.min(...values) - 1) / 5) * 5);
  let high = Math.min(100, Math.ceil((Math.max(...values) + 1) / 5) * 5);
  while (high - low < 10) high < 100 ? (high += 5) : (low -= 5);
  return [low, high];
}

/** The shown run's rows, the other's and the paper's. */
export function scaleRows(summary: RunSummary, other: RunSummary | null): ScaleRow[] {
  const ofRun = (one: RunSummary, kind: "run" | "other") => {
    const dots = one.per_fold.map((share: number) => 100 * share);
    return { words: other ? `run ${one.run}` : "this run", ...runAccuracy(one), dots, kind };
  };
  const papers = [...summary.paper, ...(other?.paper ?? [])].filter(
    (row, at, all) => all.findIndex((one) => one.words === row.words) === at,
  );
  const paper = papers.map((row) => ({ words: row.words, mean: row.mean, std: row.std, dots: [], kind: "paper" as "paper" }));
  return [ofRun(summary, "run"), ...(other?.per_fold.length ? [ofRun(other, "other")] : []), ...paper];
}

/** One scale for the run's folds, the other run's and the paper's results. */
export function createScale() {
  const element = h("div", {
    class: "dwt-accuracies",
    role: "table",
    "aria-label": "Accuracy beside the paper's",
    "data-testid": "accuracies",
  });
  let drawn = "";
  const update = (rows: ScaleRow[]) => {
    if (JSON.stringify(rows) === drawn) return;
    drawn = JSON.stringify(rows);
    const values = rows.flatMap(({ mean, std, dots }) => [...dots, ...(mean === null ? [] : [mean - (std ?? 0), mean + (std ?? 0)])]);
    const [low, high] = accuracyRange(values);
    const place = (value: number) => `${(100 * (value - low)) / (high - low)}%`;
    const lines = rows.map((row) => {
      const marks = row.dots.map((dot, at) =>
        h("i", {
          class: "dwt-dot",
          style: `left:${place(dot)}`,
          title: `fold ${at + 1}: ${dot.toFixed(1)} %`,
          "data-testid": `fold-dot-${row.kind}-${at}`,
        }),
      );
      const { mean, std } = row;
      if (mean !== null && std !== null)
        marks.unshift(h("i", { class: "dwt-spread", style: `left:${place(mean - std)};width:${(200 * std) / (high - low)}%` }));
      if (mean !== null) marks.push(h("i", { class: "dwt-mean", style: `left:${place(mean)}` }));
      const words = h("span", { class: "dwt-row-words", role: "rowheader", title: row.words }, row.words);
      const value = h("span", { class: "dwt-number", role: "cell" }, accuracyWords(mean, std));
      return h(
        "div",
        { class: `dwt-row dwt-row-${row.kind}`, role: "row", "data-testid": `row-${row.kind}` },
        words,
        h("span", { class: "dwt-line", "aria-hidden": "true" }, ...marks),
        value,
      );
    });
    const ends = h(
      "span",
      { class: "dwt-ends" },
      h("span", {}, String(low)),
      h("span", {}, String((low + high) / 2)),
      h("span", {}, `${high} %`),
    );
    element.replaceChildren(
      ...lines,
      h("div", { class: "dwt-row dwt-row-ends", "aria-hidden": "true" }, h("span", {}), ends, h("span", {})),
    );
  };
  return { element, update };
}

/** The run's result in large, what was done for it, and the scale beside it. */
export function createHeadline() {
  const value = h("div", { class: "dwt-value", "data-testid": "headline" });
  const what = h("div", { class: "dwt-dim" }, "mean accuracy of the classes");
  const done = h("div", { class: "dwt-dim", "data-testid": "folds-done" });
  const scale = createScale();
  const element = h("div", { class: "dwt-headline" }, h("div", { class: "dwt-result" }, value, what, done), scale.element);
  /** @param other the run to compare with */
  const update = (summary: RunSummary, other: RunSummary | null) => {
    const { mean, std } = runAccuracy(summary);
    setText(value, accuracyWords(mean, std));
    value.dataset.none = String(mean === null);
    setText(done, doneWords(summary));
    scale.update(scaleRows(summary, other));
  };
  return { element, update };
}
