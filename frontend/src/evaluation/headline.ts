/** The scores of a run, and its progress. */
import { h, setText } from "../ui/dom.ts";
import { isActive, type Results } from "./results.ts";
import { describePhase, type Score, scoresOf } from "./texts.ts";
import type { EvaluationState, RunSummary } from "./wire.ts";

const OUTDATED = "The model has changed since: evaluate again for its scores.";

/**
 * Create the headline: the scores, and the progress of the run.
 * @param link an element below the text
 */
export function createHeadline(link: HTMLElement) {
  const scores = h("dl", { class: "dwe-scores", "data-testid": "scores" });
  const bar = h("progress", { max: 1, "aria-label": "Progress of the evaluation", "data-testid": "run-bar" });
  const phase = h("p", { class: "dwc-dim dwe-phase", role: "status", "data-testid": "run-words" });
  const problem = h("p", { class: "dwx-error", role: "alert", hidden: true, "data-testid": "run-problem" });
  const element = h("div", { class: "dwe-top" }, scores, h("div", { class: "dwe-words" }, bar, phase, link, problem));
  let drawnKey = "";

  const update = (summary: RunSummary, results: Results | null, state: EvaluationState) => {
    const listed = results ? scoresOf(results, state.threshold, state.output) : [];
    const key = JSON.stringify(listed);
    if (key !== drawnKey) {
      drawnKey = key;
      scores.replaceChildren(...listed.map(createScore));
    }
    const active = isActive(summary);
    scores.dataset.active = String(active);
    bar.hidden = !active;
    if (summary.progress?.total) bar.value = summary.progress.done / summary.progress.total;
    else bar.removeAttribute("value");
    setText(phase, `${describePhase(summary)} · ${summary.classifier}`);
    setText(problem, summary.problem ?? (summary.current || active ? "" : OUTDATED));
    problem.hidden = !problem.textContent;
  };
  return { element, update };
}

function createScore({ name, label = name, value, hint }: Score, index: number): HTMLElement {
  const properties = { title: hint, class: index ? "dwe-score" : "dwe-score dwe-first", "data-testid": `score-${name}` };
  return h("div", properties, h("dt", {}, label), h("dd", {}, value));
}
