import { type Cell, confusedPairs, extremeClasses } from "../classification/class_results.ts";
import { createExtremes } from "../classification/extremes.ts";
import { createPairs } from "../classification/pairs.ts";
import { createSkipped } from "../classification/skipped.ts";
import { h, setText } from "../ui/dom.ts";
import { createComparison, createSettings } from "./comparison.ts";
import type { RunResults } from "./run_results.ts";
import type { TransferState } from "./wire.ts";

const PAIRS = 10;
const CLASSES = 5; // number of best and of worst classes

/**
 * Create the summary of a run: the most confused, worst and best classes, and the settings.
 * @param choose selects a cell to show its photographs
 */
export function createRunSummary({ set, choose }: { set: (patch: Partial<TransferState>) => void; choose: (cell: Cell) => void }) {
  const pairs = createPairs({ testid: "summary-pairs", pick: choose });
  const pairsTitle = h("h4", {}, "Most confused");
  const pairsHint = h("span", { class: "dwt-small" }, "true class → predicted class");
  const worst = createExtremes({ testid: "summary-worst", title: "Worst classes", open: () => set({ show: "classes", sort: "worst" }) });
  const best = createExtremes({ testid: "summary-best", title: "Best classes", open: () => set({ show: "classes", sort: "best" }) });
  const comparison = createComparison();
  const settings = h("dl", { class: "dwt-facts", "data-testid": "settings" });
  const skipped = createSkipped();
  const left = h("div", { class: "dwt-most-confused" }, h("div", { class: "dwc-pane-head" }, pairsTitle, pairsHint), pairs.element);
  const right = h("div", { class: "dwt-extremes" }, worst.element, best.element);
  const columns = h("div", { class: "dwt-overview" }, left, right);
  const parts = [comparison.element, columns, settings, skipped.element];
  const element = h("section", { class: "dwt-summary", "aria-label": "Summary" }, ...parts);
  let drawnKey = "";

  const update = (run: RunResults, other: RunResults | null) => {
    const key = `${run.version} ${other?.version}`;
    if (key === drawnKey) return;
    drawnKey = key;
    comparison.element.hidden = !other;
    settings.hidden = Boolean(other); // the comparison contains the settings
    if (other) comparison.update(run, other);
    const confused = confusedPairs(run, PAIRS);
    setText(pairsTitle, confused.length ? "Most confused" : "No test was misclassified.");
    pairsHint.hidden = !confused.length;
    pairs.update(run, confused);
    const extremes = extremeClasses(run, CLASSES);
    worst.update(run, extremes.worst);
    best.update(run, extremes.best);
    settings.replaceChildren(...createSettings(run.summary));
    skipped.update(run.skipped);
  };
  return { element, update };
}
