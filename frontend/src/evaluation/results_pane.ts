import { h, setText } from "../ui/dom.ts";
import { ClassificationView } from "./classification_view.ts";
import { createHeadline } from "./headline.ts";
import { MultilabelView } from "./multilabel_view.ts";
import { RegressionView } from "./regression_view.ts";
import { comparedRun, isActive, type Results, shownRun } from "./results.ts";
import { createRunChoice } from "./runs.ts";
import type { ViewContent, ViewOptions } from "./task_view.ts";
import type { Comparison, DataSummary, EvaluationState, RunSummary, Status, Task } from "./wire.ts";

type TaskView = ClassificationView | MultilabelView | RegressionView;

/** The results of a run: scores, and the view of the task. */
export class ResultsPane {
  readonly element: HTMLElement;
  private readonly runs: ReturnType<typeof createRunChoice>;
  private readonly headline: ReturnType<typeof createHeadline>;
  private readonly change: HTMLButtonElement;
  private readonly empty = h("div", { class: "dwe-empty", "data-testid": "results-empty" });
  private readonly error = h("p", { class: "dwx-error", role: "alert", hidden: true, "data-testid": "results-failure" });
  private readonly place = h("div", { class: "dwe-place" });
  private view: { task: Task; view: TaskView } | null = null;

  constructor(private readonly options: ViewOptions) {
    this.runs = createRunChoice(options.set);
    const show = () => options.set({ show: "changes" });
    this.change = h("button", {
      type: "button",
      class: "dwc-link dwe-change-link",
      hidden: true,
      "data-testid": "change-link",
      onclick: show,
    });
    this.headline = createHeadline(this.change);
    const parts = [this.runs.element, this.headline.element, this.empty, this.error, this.place];
    this.element = h("section", { class: "dwc dwe-results", "aria-label": "Results", "data-testid": "results" }, ...parts);
  }

  close(): void {
    this.view?.view.close();
  }

  update(status: Status, state: EvaluationState, data: DataSummary | null): void {
    const { store } = this.options;
    const summary = shownRun(status, state);
    const { value, error } = store.runResults(summary);
    const results = value ?? null;
    const before = comparedRun(status, state);
    const compared = summary && before && !isActive(summary) ? store.comparison(before, summary) : null;
    const comparison = compared?.value ?? null;
    this.runs.update(status, summary, before);
    this.headline.element.hidden = !summary;
    if (summary) this.headline.update(summary, results, state);
    this.updateChange(comparison, state);
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    this.updateEmpty(status, summary, results, state);
    const view = this.viewOf(results?.task ?? summary?.task ?? status.task);
    const problem = compared ? (compared.error ?? "Comparing…") : summary && before ? "Compared when the evaluation is complete." : null;
    const content = { state, summary, results, data, comparison, comparisonProblem: problem };
    (view as { update(content: ViewContent<Results>): void } | null)?.update(content);
  }

  /** Return whether the results of a run are loaded. */
  isLoaded(summary: RunSummary | null): boolean {
    return !summary?.photographs || this.options.store.runResults(summary).value !== undefined;
  }

  private updateChange(comparison: Comparison | null, { show }: EvaluationState): void {
    this.change.hidden = !comparison || show === "changes";
    if (!comparison) return;
    setText(this.change, `${describeShortly(comparison)} compared with run ${comparison.before.run}`);
  }

  private updateEmpty(status: Status, summary: RunSummary | null, results: Results | null, { show }: EvaluationState): void {
    this.empty.hidden = Boolean(results) || show === "names" || show === "changes" || !this.error.hidden;
    const text = describeEmpty(status, summary);
    setText(this.empty, text);
  }

  /** Return the view of a task. The tabs and selections of another task are dropped. */
  private viewOf(task: Task | null): TaskView | null {
    if (!task || this.view?.task === task) return this.view?.view ?? null;
    this.view?.view.close();
    const kinds = { classification: ClassificationView, multilabel: MultilabelView, regression: RegressionView };
    const view = new kinds[task](this.options);
    this.view = { task, view };
    this.place.replaceChildren(view.element);
    return view;
  }
}

/** Return the change in a few words. */
function describeShortly({
  accuracy_before: before,
  accuracy_after: after,
  now_right_total: right,
  now_wrong_total: wrong,
}: Comparison): string {
  const points = 100 * ((after ?? 0) - (before ?? 0));
  return `${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(1)} points: ${right} now right, ${wrong} now wrong,`;
}

/** Return the message that is shown without results. */
function describeEmpty({ problem }: Status, summary: RunSummary | null): string {
  if (!summary)
    return problem ?? "No evaluation yet. Select labelled photographs and press Evaluate; the results appear here while it runs.";
  if (summary.photographs) return "Loading the results…";
  if (isActive(summary)) return "The results appear with the first photographs.";
  return "This run ended before its first photograph was evaluated.";
}
