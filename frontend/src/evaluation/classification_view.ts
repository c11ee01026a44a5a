/** The results of a classifier: scores, confusion matrix, classes, mistakes, and what changed since the run before. */
import { CellPane } from "../classification/cell_pane.ts";
import { ClassList } from "../classification/class_list.ts";
import type { Cell } from "../classification/class_results.ts";
import { ConfusionMatrix } from "../classification/confusion_matrix.ts";
import { Mistakes } from "../classification/mistakes.ts";
import { h } from "../ui/dom.ts";
import type { Choice } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import { Changes } from "./changes.ts";
import { createNames } from "./names.ts";
import type { ClassificationResults } from "./results.ts";
import { createSummary } from "./summary.ts";
import type { ViewContent, ViewOptions } from "./task_view.ts";
import type { ResultsTab } from "./wire.ts";

const TABS: Choice<ResultsTab>[] = [
  ["summary", "Summary", "Calibration, the most confused classes, the worst and the best classes"],
  ["confusion", "Confusion matrix", "Number of photographs by true and predicted class"],
  ["classes", "Classes", "Accuracy and photographs of each class"],
  ["mistakes", "Mistakes", "The misclassified photographs, the most confident first"],
  ["changes", "Before and after", "What changed since the evaluation of the model before it"],
  ["names", "Class names", "How the classes of the image set match the model's"],
];
const RESULTS: ResultsTab[] = ["summary", "confusion", "classes", "mistakes"];

export class ClassificationView {
  readonly element: HTMLElement;
  private readonly cell: CellPane;
  private readonly matrix: ConfusionMatrix;
  private readonly summary: ReturnType<typeof createSummary>;
  private readonly classes: ClassList;
  private readonly mistakes: Mistakes;
  private readonly changes: Changes;
  private readonly names: ReturnType<typeof createNames>;
  private readonly tabs: ReturnType<typeof createTabs<ResultsTab>>;
  private readonly panels: Record<ResultsTab, HTMLElement>;

  constructor({ id, store, set, showStatus, why }: ViewOptions) {
    const choose = (cell: Cell) => {
      this.cell.scrollToPhotographs(); // the photographs may be below the matrix
      set({ show: "confusion", cell });
    };
    const explain = ({ source }: { source: number }) => why(source, null);
    const { photographs } = store;
    this.cell = new CellPane({ store: photographs, choose, clear: () => set({ cell: null }), why: explain });
    this.matrix = new ConfusionMatrix({ set, choose, leave: () => this.tabs.focus() });
    this.summary = createSummary({ set, choose });
    this.classes = new ClassList({ store: photographs, set, choose, why: explain });
    this.mistakes = new Mistakes({ store: photographs, choose, why: explain });
    this.changes = new Changes({
      store: photographs,
      why: explain,
    });
    this.names = createNames({ client: store.client, set, showStatus });
    this.panels = {
      summary: this.summary.element,
      confusion: h("div", { class: "dwc-matrix-and-cell" }, this.matrix.element, this.cell.element),
      classes: this.classes.element,
      mistakes: this.mistakes.element,
      changes: this.changes.element,
      names: this.names.element,
    };
    const pick = (show: ResultsTab) => set({ show });
    this.tabs = createTabs({ id, label: "Results", testid: "results-tabs", prefix: "show", tabs: TABS, panels: this.panels, pick });
    const body = h("div", { class: "dwe-body" }, ...Object.values(this.panels));
    this.element = h("div", { class: "dwe-view" }, h("div", { class: "dwe-nav" }, this.tabs.element), body);
  }

  close(): void {
    for (const part of [this.matrix, this.cell, this.classes, this.mistakes, this.changes]) part.close();
  }

  update({ state, summary, results, data, comparison, comparisonProblem }: ViewContent<ClassificationResults>): void {
    const { show } = state;
    this.tabs.show(show);
    for (const name of RESULTS) if (!results) this.panels[name].hidden = true;
    this.names.update(data, state);
    this.changes.update(comparison, comparisonProblem, show === "changes");
    if (!results || !summary) return;
    this.summary.update(results, summary);
    if (show === "confusion") this.matrix.update(results, state);
    this.cell.update(results, state, show === "confusion");
    this.classes.update(results, state, show === "classes");
    this.mistakes.update(results, show === "mistakes");
  }
}
