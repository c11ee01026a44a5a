import { h, setText } from "../ui/dom.ts";
import { counted, duration, progressWords } from "../ui/format.ts";
import type { RunSummary } from "./wire.ts";

/* Where a run is, in words that need no knowledge of it. */

const STAGES: [string, string][] = [
  ["features", "Features"],
  ["training", "Train and test"],
  ["curve", "Learning curve"],
];
const TELLS: Record<string, string> = {
  features: "Every photograph goes through the network once; what the layer answers is kept.",
  training: "A softmax classifier learns the classes from those answers and is tested on photographs that it has not seen.",
  curve: "The same again with fewer training images a class.",
};

/**
 * What the progress of a run comes to.
 * @param summary a run
 */
export function stageWords(summary: RunSummary) {
  const { phase, progress, per_fold: folds, seconds } = summary;
  const of = `${folds.length} of ${counted(summary.folds, "fold")}`;
  if (phase === "waiting") return "Waits until the service has finished what it is doing.";
  if (phase === "features") return progressWords(progress, "photographs");
  if (phase === "training") return `Fold ${Math.min(folds.length + 1, summary.folds)} of ${summary.folds}`;
  if (phase === "curve") {
    const at = progress?.message ? ` · ${progress.message}` : "";
    return progress?.total ? `${progress.done} of ${counted(progress.total, "training")}${at}` : "about to begin";
  }
  if (phase === "stopped")
    return `Stopped; ${folds.length ? `${of} ${folds.length === 1 ? "is" : "are"} done and kept.` : "no fold was done, the features are kept."}`;
  if (phase === "failed") return `Failed${folds.length ? `; ${of} ${folds.length === 1 ? "is" : "are"} kept.` : "."}`;
  return `Done in ${duration(seconds)}.`;
}

/** How far along the bar is, from 0 to 1; null: not known. */
export function stageShare({
  phase,
  progress,
  per_fold: folds,
  folds: asked,
}: Pick<RunSummary, "phase" | "progress" | "per_fold" | "folds">) {
  if (phase === "training") return folds.length / asked;
  return progress?.total ? progress.done / progress.total : null;
}

/** The line of stages, the bar, and what is going on. */
export function createProgress() {
  const stages = STAGES.map(([name, words]) => [name, h("li", { "data-testid": `stage-${name}` }, words)]);
  const list = h("ol", { class: "dwt-stages" }, ...stages.map(([, item]) => item));
  const bar = h("progress", { max: 1, "aria-label": "Progress of the run", "data-testid": "run-bar" });
  const words = h("p", { class: "dwt-stage-words", role: "status", "data-testid": "run-words" });
  const tells = h("p", { class: "dwt-small" });
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "run-problem" });
  const element = h("div", { class: "dwt-progress", "data-testid": "run-progress" }, list, bar, words, problem, tells);

  /** @param summary the run */
  const update = (summary: RunSummary) => {
    const { phase, per_fold: folds } = summary;
    const at = STAGES.findIndex(([name]) => name === phase);
    const reached = at >= 0 ? at : phase === "done" ? STAGES.length : folds.length ? 1 : 0;
    for (const [index, [name, item]] of stages.entries()) {
      const element = item as HTMLElement;
      element.hidden = name === "curve" && phase !== "curve" && !summary.curve;
      element.dataset.done = String(index < reached);
      if (name === phase) element.setAttribute("aria-current", "step");
      else element.removeAttribute("aria-current");
    }
    element.dataset.phase = phase;
    const share = stageShare(summary);
    bar.hidden = at < 0 && phase !== "waiting";
    if (share === null) bar.removeAttribute("value");
    else bar.setAttribute("value", String(share));
    setText(words, stageWords(summary));
    setText(tells, TELLS[phase] ?? "");
    tells.hidden = !tells.textContent;
    setText(problem, summary.problem ?? "");
    problem.hidden = !summary.problem;
  };
  return { element, update };
}
