/** Where a run is. */
import { h, setText } from "../ui/dom.ts";
import { formatCount, formatDuration, formatInteger, formatProgress } from "../ui/format.ts";
import type { RunSummary } from "./wire.ts";

type Phase = RunSummary["phase"];
type Progressing = Pick<RunSummary, "phase" | "progress" | "per_fold" | "folds" | "seconds">;

const STAGES: [Phase, string][] = [
  ["features", "Features"],
  ["training", "Train and test"],
  ["curve", "Learning curve"],
];
const EXPLANATIONS: Partial<Record<Phase, string>> = {
  features: "Every photograph is run through the network once; the layer's features are kept.",
  training: "A softmax classifier is trained on these features and tested on photographs that were not used for training.",
  curve: "The same with fewer training images per class.",
};

/** Return where a run is, in a line. */
export function describePhase({ phase, progress, per_fold: accuracies, folds, seconds }: Progressing): string {
  const done = accuracies.length;
  const kept = `${done} of ${formatCount(folds, "fold")} ${done === 1 ? "is" : "are"}`;
  switch (phase) {
    case "waiting":
      return "Waiting for other work of the service.";
    case "features":
      return formatProgress(progress, "photographs");
    case "training":
      return `Fold ${Math.min(done + 1, folds)} of ${folds}`;
    case "curve": {
      if (!progress?.total) return "starting…";
      const words = `${formatInteger(progress.done)} of ${formatCount(progress.total, "training run")}`;
      return progress.message ? `${words} · ${progress.message}` : words;
    }
    case "stopped":
      return `Stopped; ${done ? `${kept} done and kept.` : "no fold was done, the features are kept."}`;
    case "failed":
      return `Failed${done ? `; ${kept} kept.` : "."}`;
    default:
      return `Done in ${formatDuration(seconds)}.`;
  }
}

/** Return how far the run is, from 0 to 1; null where it is not known. */
export function progressShare({ phase, progress, per_fold, folds }: Omit<Progressing, "seconds">): number | null {
  if (phase === "training") return per_fold.length / folds;
  return progress?.total ? progress.done / progress.total : null;
}

/** The stages, the bar, and what is going on. */
export function createRunProgress() {
  const stages = STAGES.map(([phase, words]) => ({ phase, item: h("li", { "data-testid": `stage-${phase}` }, words) }));
  const list = h("ol", { class: "dwt-stages" }, ...stages.map(({ item }) => item));
  const bar = h("progress", { max: 1, "aria-label": "Progress of the run", "data-testid": "run-bar" });
  const words = h("p", { class: "dwt-stage-words", role: "status", "data-testid": "run-words" });
  const explanation = h("p", { class: "dwt-small" });
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "run-problem" });
  const element = h("div", { class: "dwt-progress", "data-testid": "run-progress" }, list, bar, words, problem, explanation);

  const updateStages = ({ phase, per_fold: accuracies, curve }: RunSummary) => {
    const current = STAGES.findIndex(([name]) => name === phase);
    const reached = current >= 0 ? current : phase === "done" ? STAGES.length : accuracies.length ? 1 : 0;
    stages.forEach(({ phase: stage, item }, at) => {
      item.hidden = stage === "curve" && phase !== "curve" && !curve;
      item.dataset.done = String(at < reached);
      if (stage === phase) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    bar.hidden = current < 0 && phase !== "waiting";
  };

  const update = (summary: RunSummary) => {
    updateStages(summary);
    element.dataset.phase = summary.phase;
    const share = progressShare(summary);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    setText(words, describePhase(summary));
    setText(explanation, EXPLANATIONS[summary.phase] ?? "");
    explanation.hidden = !explanation.textContent;
    setText(problem, summary.problem ?? "");
    problem.hidden = !summary.problem;
  };
  return { element, update };
}
