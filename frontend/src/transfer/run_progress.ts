/** The progress of a run. */
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
  features: "The features of the layer are computed once for each photograph.",
  training: "A softmax classifier is trained on these features and tested on photographs that are not used for training.",
  curve: "Training and tests are repeated with fewer training images per class.",
};

/** Describe the progress of a run in one line. */
export function describePhase({ phase, progress, per_fold: accuracies, folds, seconds }: Progressing): string {
  const done = accuracies.length;
  const keptFolds = `${done} of ${formatCount(folds, "fold")} ${done === 1 ? "is" : "are"}`;
  switch (phase) {
    case "waiting":
      return progress?.message || "Waiting until the previous run has stopped.";
    case "features":
      return formatProgress(progress, "photographs");
    case "training":
      return `Fold ${Math.min(done + 1, folds)} of ${folds}`;
    case "curve": {
      if (!progress?.total) return "starting…";
      const text = `${formatInteger(progress.done)} of ${formatCount(progress.total, "training run")}`;
      return progress.message ? `${text} · ${progress.message}` : text;
    }
    case "stopped":
      return `Stopped; ${done ? `${keptFolds} done and kept.` : "no fold was completed, but the features are kept."}`;
    case "failed":
      return `Failed${done ? `; ${keptFolds} kept.` : "."}`;
    default:
      return `Done in ${formatDuration(seconds)}.`;
  }
}

/** Return the progress of a run from 0 to 1; null if unknown. */
export function progressFraction({ phase, progress, per_fold, folds }: Omit<Progressing, "seconds">): number | null {
  if (phase === "training") return per_fold.length / folds;
  return progress?.total ? progress.done / progress.total : null;
}

/** Create the progress view: stages, progress bar, and description. */
export function createRunProgress() {
  const stages = STAGES.map(([phase, text]) => ({ phase, item: h("li", { "data-testid": `stage-${phase}` }, text) }));
  const list = h("ol", { class: "dwt-stages" }, ...stages.map(({ item }) => item));
  const bar = h("progress", { max: 1, "aria-label": "Progress of the run", "data-testid": "run-bar" });
  const text = h("p", { class: "dwt-stage-text", role: "status", "data-testid": "run-words" });
  const explanation = h("p", { class: "dwt-small" });
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "run-problem" });
  const element = h("div", { class: "dwt-progress", "data-testid": "run-progress" }, list, bar, text, problem, explanation);

  const updateStages = ({ phase, per_fold: accuracies, curve }: RunSummary) => {
    const currentStage = STAGES.findIndex(([name]) => name === phase);
    const completedStages = currentStage >= 0 ? currentStage : phase === "done" ? STAGES.length : accuracies.length ? 1 : 0;
    stages.forEach(({ phase: stage, item }, index) => {
      item.hidden = stage === "curve" && phase !== "curve" && !curve;
      item.dataset.done = String(index < completedStages);
      if (stage === phase) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    bar.hidden = currentStage < 0 && phase !== "waiting";
  };

  const update = (summary: RunSummary) => {
    updateStages(summary);
    element.dataset.phase = summary.phase;
    const fraction = progressFraction(summary);
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    setText(text, describePhase(summary));
    setText(explanation, EXPLANATIONS[summary.phase] ?? "");
    explanation.hidden = !explanation.textContent;
    setText(problem, summary.problem ?? "");
    problem.hidden = !summary.problem;
  };
  return { element, update };
}
