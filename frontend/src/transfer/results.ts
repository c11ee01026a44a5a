import { CellPane } from "../classification/cell_pane.ts";
import { ClassList } from "../classification/class_list.ts";
import type { Cell } from "../classification/class_results.ts";
import { ConfusionMatrix } from "../classification/confusion_matrix.ts";
import { Mistakes } from "../classification/mistakes.ts";
import { h, setText } from "../ui/dom.ts";
import type { Choice } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import { nameUnitsOff } from "../ui/unit_badge.ts";
import { describeRun } from "./accuracy.ts";
import { HeadActions } from "./head_actions.ts";
import { createHeadline } from "./headline.ts";
import { type RunResults, shownRun } from "./run_results.ts";
import { createRunSummary } from "./run_summary.ts";
import type { TransferStore } from "./store.ts";
import type { ResultsTab, RunSummary, Status, TransferState } from "./wire.ts";

const TABS: Choice<ResultsTab>[] = [
  ["summary", "Summary", "The most confused classes, the worst and the best classes"],
  ["confusion", "Confusion matrix", "Number of tests by true and predicted class"],
  ["classes", "Classes", "Accuracy and photographs of each class"],
  ["mistakes", "Mistakes", "The misclassified photographs, the most confident first"],
];

interface ResultsOptions {
  /** Unique in the page. */
  id: string;
  store: TransferStore;
  set: (patch: Partial<TransferState>) => void;
  showStatus: (text: string) => void;
  /** Show why the model predicts what it does for a test photograph. */
  why: (run: number, source: number) => void;
}

/** The results of a run: accuracy, confusion matrix, and test photographs. */
export class Results {
  readonly element: HTMLElement;
  private readonly store: TransferStore;
  private readonly actions: HeadActions;
  private readonly headline = createHeadline();
  private readonly runs: ReturnType<typeof createRunChoice>;
  private readonly tabs: ReturnType<typeof createTabs<ResultsTab>>;
  private readonly cell: CellPane;
  private readonly matrix: ConfusionMatrix;
  private readonly summary: ReturnType<typeof createRunSummary>;
  private readonly classes: ClassList;
  private readonly mistakes: Mistakes;
  private readonly empty = h("p", { class: "dwc-empty", "data-testid": "results-empty" });
  private readonly error = h("p", { class: "dwx-error", role: "alert", hidden: true, "data-testid": "results-failure" });
  private readonly top: HTMLElement;
  private readonly nav: HTMLElement;
  private readonly body: HTMLElement;
  /** The number of the run that is shown. */
  private run: number | null = null;

  constructor({ id, store, set, showStatus, why: explain }: ResultsOptions) {
    this.store = store;
    const showNewest = () => set({ run: null, cell: null });
    const unitsOff = () => nameUnitsOff(store.units.list());
    this.actions = new HeadActions({ client: store.client, showStatus, showNewest, unitsOff, id });
    this.runs = createRunChoice(set);
    const choose = (cell: Cell) => {
      this.cell.scrollToPhotographs(); // the photographs may be below the matrix
      set({ show: "confusion", cell });
    };
    const { photographs } = store;
    const why = ({ source }: { source: number }) => this.run !== null && explain(this.run, source);
    this.cell = new CellPane({ store: photographs, choose, clear: () => set({ cell: null }), why });
    this.matrix = new ConfusionMatrix({ set, choose, leave: () => this.tabs.focus() });
    this.summary = createRunSummary({ set, choose });
    this.classes = new ClassList({ store: photographs, set, choose, why });
    this.mistakes = new Mistakes({ store: photographs, choose, why });
    const confusion = h("div", { class: "dwc-matrix-and-cell" }, this.matrix.element, this.cell.element);
    const panels = { summary: this.summary.element, confusion, classes: this.classes.element, mistakes: this.mistakes.element };
    const pick = (show: ResultsTab) => set({ show });
    this.tabs = createTabs({ id, label: "Results", testid: "results-tabs", prefix: "show", tabs: TABS, panels, pick });
    this.nav = h("div", { class: "dwt-nav" }, this.tabs.element);
    this.top = h("div", { class: "dwt-results-top" }, this.headline.element, this.actions.element);
    this.body = h("div", { class: "dwt-results-body" }, ...Object.values(panels));
    const parts = [this.runs.element, this.top, this.empty, this.error, this.nav, this.body];
    this.element = h("section", { class: "dwc dwt-results", "aria-label": "Results", "data-testid": "results" }, ...parts);
  }

  close(): void {
    for (const part of [this.matrix, this.cell, this.classes, this.mistakes]) part.close();
  }

  update(status: Status, state: TransferState): void {
    const summary = shownRun(status, state);
    this.run = summary?.run ?? null;
    const found = status.runs.find(({ run }) => run === state.compare);
    const compared = found && found.run !== summary?.run ? found : null;
    this.runs.update(status, summary, compared);
    this.actions.update(summary, status);
    this.headline.element.hidden = !summary;
    if (summary) this.headline.update(summary, compared);
    const { value: run, error } = this.store.runResults(summary);
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    setText(this.empty, describeEmpty(summary));
    this.empty.hidden = Boolean(run) || Boolean(error);
    this.nav.hidden = this.body.hidden = !run;
    this.top.dataset.show = run ? state.show : "summary";
    if (run) this.updateTabs(run, compared ? (this.store.runResults(compared).value ?? null) : null, state);
  }

  /** Return whether the results of a run are loaded. */
  isLoaded(summary: RunSummary | null): boolean {
    return !summary?.per_fold.length || this.store.runResults(summary).value !== undefined;
  }

  private updateTabs(run: RunResults, other: RunResults | null, state: TransferState): void {
    const { show } = state;
    this.tabs.show(show);
    this.summary.update(run, other);
    if (show === "confusion") this.matrix.update(run, state);
    this.cell.update(run, state, show === "confusion");
    this.classes.update(run, state, show === "classes");
    this.mistakes.update(run, show === "mistakes");
  }
}

/** Return the message that is shown without results. */
function describeEmpty(summary: RunSummary | null): string {
  if (!summary) return "No run yet. Select the data and press Retrain; the results appear here.";
  if (summary.per_fold.length) return "Loading the results…";
  if (summary.phase === "failed") return "This run failed before its first fold was complete.";
  if (summary.phase === "stopped") return "This run was stopped before its first fold was complete.";
  return `Run ${summary.run} is running; the results appear with its first fold.`;
}

/** Create the controls to select the run, and another run for comparison. */
function createRunChoice(set: (patch: Partial<TransferState>) => void) {
  let drawnKey = "";
  const runSelect = h("select", { class: "dwx-select", "data-testid": "results-run" });
  const comparedSelect = h("select", { class: "dwx-select", "data-testid": "results-compare" });
  runSelect.addEventListener("change", () => set({ run: runSelect.value ? Number(runSelect.value) : null, cell: null }));
  comparedSelect.addEventListener("change", () =>
    set(comparedSelect.value ? { compare: Number(comparedSelect.value), show: "summary" } : { compare: null }),
  );
  const row = (label: string, select: HTMLElement) => h("label", { class: "dwx-choice" }, label, select);
  const element = h("div", { class: "dwt-runs" }, row("Run ", runSelect), row("compared with ", comparedSelect));

  const update = ({ runs }: Status, summary: RunSummary | null, compared: RunSummary | null) => {
    element.hidden = runs.length < 2;
    const newestFirst = [...runs].reverse();
    const key = `${newestFirst.map(describeRun).join("\n")} ${summary?.run}`;
    if (key !== drawnKey) {
      drawnKey = key;
      const createOption = (run: RunSummary) => h("option", { value: run.run }, describeRun(run));
      const others = newestFirst.filter(({ run, per_fold }) => run !== summary?.run && per_fold.length);
      runSelect.replaceChildren(...newestFirst.map(createOption));
      comparedSelect.replaceChildren(h("option", { value: "" }, "none"), ...others.map(createOption));
    }
    runSelect.value = String(summary?.run ?? "");
    comparedSelect.value = String(compared?.run ?? "");
  };
  return { element, update };
}
