import { createClassName } from "../classification/class_names.ts";
import { createPairs } from "../classification/pairs.ts";
import { h, setText } from "../ui/dom.ts";
import { formatCount, formatPercent } from "../ui/format.ts";
import { createComparison, createSettings } from "./comparison.ts";
import { accuracyOf, categoryOf, confusedPairs, extremeClasses, type RunResults, runVersion } from "./run_results.ts";
import type { Cell, TransferState } from "./wire.ts";

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
  const left = h("div", { class: "dwt-most-confused" }, h("div", { class: "dwt-pane-head" }, pairsTitle, pairsHint), pairs.element);
  const right = h("div", { class: "dwt-extremes" }, worst.element, best.element);
  const columns = h("div", { class: "dwt-overview" }, left, right);
  const parts = [comparison.element, columns, settings, skipped.element];
  const element = h("section", { class: "dwt-summary", "aria-label": "Summary" }, ...parts);
  let drawnKey = "";

  const update = (run: RunResults, other: RunResults | null) => {
    const key = `${runVersion(run.summary)} ${other && runVersion(other.summary)}`;
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
    skipped.update(run);
  };
  return { element, update };
}

function createExtremes({ testid, title, open }: { testid: string; title: string; open: () => void }) {
  const list = h("ol", { class: "dwt-extreme-list", "data-testid": testid });
  const all = h("button", { type: "button", class: "dwt-link", "data-testid": `${testid}-open`, onclick: open }, "show photographs");
  const element = h("div", {}, h("div", { class: "dwt-pane-head" }, h("h4", {}, title), all), list);
  const update = (run: RunResults, labels: number[]) => {
    element.hidden = !labels.length;
    const rows = labels.map((label) => {
      const [name, accuracy] = [categoryOf(run, label), accuracyOf(run, label)];
      const fill = h("i", { class: "dwt-fill-right", style: `width:${100 * accuracy}%` });
      const nameElement = h("span", { class: "dwt-gain-name", title: name }, createClassName(name));
      return h("li", {}, nameElement, h("span", { class: "dwt-track" }, fill), h("span", { class: "dwt-number" }, formatPercent(accuracy)));
    });
    list.replaceChildren(...rows);
  };
  return { element, update };
}

/** Create the list of photographs that could not be read. */
function createSkipped() {
  const heading = h("summary", {});
  const list = h("ul", {});
  const element = h("details", { class: "dwt-skipped", hidden: true, "data-testid": "skipped" }, heading, list);
  const update = ({ skipped }: RunResults) => {
    element.hidden = !skipped.length;
    setText(heading, `${formatCount(skipped.length, "photograph")} could not be read and were skipped`);
    list.replaceChildren(...skipped.map(({ name, reason }) => h("li", {}, `${name}: ${reason}`)));
  };
  return { element, update };
}
