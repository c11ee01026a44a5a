/** The summary of a classifier's results. */
import { type Cell, confusedPairs, extremeClasses } from "../classification/class_results.ts";
import { createExtremes } from "../classification/extremes.ts";
import { createPairs } from "../classification/pairs.ts";
import { createSkipped } from "../classification/skipped.ts";
import { h, setText } from "../ui/dom.ts";
import { formatDuration, formatInteger } from "../ui/format.ts";
import { createReliability } from "./reliability.ts";
import type { ClassificationResults } from "./results.ts";
import type { EvaluationState, RunSummary } from "./wire.ts";

const PAIRS = 10;
const CLASSES = 5; // number of best and of worst classes

/**
 * Create the summary: the most confused, worst and best classes, the calibration, and what was evaluated.
 * @param choose selects a cell to show its photographs
 */
export function createSummary({ set, choose }: { set: (patch: Partial<EvaluationState>) => void; choose: (cell: Cell) => void }) {
  const pairs = createPairs({ testid: "summary-pairs", pick: choose });
  const pairsTitle = h("h4", {}, "Most confused");
  const pairsHint = h("span", { class: "dwc-dim" }, "true class → predicted class");
  const open = (sort: "worst" | "best") => () => set({ show: "classes", sort });
  const worst = createExtremes({ testid: "summary-worst", title: "Worst classes", open: open("worst") });
  const best = createExtremes({ testid: "summary-best", title: "Best classes", open: open("best") });
  const reliability = createReliability();
  const facts = h("dl", { class: "dwe-facts", "data-testid": "facts" });
  const notes = h("ul", { class: "dwc-dim", "data-testid": "run-notes" });
  const skipped = createSkipped();
  const confused = h("div", {}, h("div", { class: "dwc-pane-head" }, pairsTitle, pairsHint), pairs.element);
  const left = h("div", { class: "dwe-column" }, confused, worst.element, best.element);
  const columns = h("div", { class: "dwe-overview" }, left, reliability.element);
  const element = h("section", { class: "dwe-summary", "aria-label": "Summary" }, columns, facts, notes, skipped.element);
  let drawnKey = "";

  const update = (results: ClassificationResults, summary: RunSummary) => {
    if (results.version === drawnKey) return;
    drawnKey = results.version;
    const found = confusedPairs(results, PAIRS);
    setText(pairsTitle, found.length ? "Most confused" : "No photograph was misclassified.");
    pairsHint.hidden = !found.length;
    pairs.update(results, found);
    const extremes = extremeClasses(results, CLASSES);
    worst.update(results, extremes.worst);
    best.update(results, extremes.best);
    reliability.update(results.reply.reliability);
    facts.replaceChildren(...createFacts(results, summary));
    notes.replaceChildren(...results.reply.notes.map((note) => h("li", {}, note)));
    skipped.update(results.reply.skipped);
  };
  return { element, update };
}

function createFacts({ reply }: ClassificationResults, summary: RunSummary): HTMLElement[] {
  const { brier, categories } = reply;
  const values: [string, string][] = [
    ["model", summary.model],
    ["photographs", `${formatInteger(summary.photographs)} of ${summary.dataset}`],
    ["classes", formatInteger(categories.length)],
    ["Brier score", brier === null ? "–" : brier.toFixed(3)],
    ["time", formatDuration(summary.seconds)],
  ];
  return values.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}
