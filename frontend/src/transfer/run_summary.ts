import { h, setText } from "../ui/dom.ts";
import { counted, percent } from "../ui/format.ts";
import { createPairs } from "./cell_pane.ts";
import { createComparison, settingList } from "./comparison.ts";
import { cutName } from "./class_names.ts";
import { confusedPairs, extremes, runVersion } from "./run_results.ts";
import type { RunView } from "./run_results.ts";
import type { TransferState } from "./wire.ts";

const GLANCE_PAIRS = 10;
const GLANCE_CLASSES = 5; // best, and as many worst

/**
 * A run at a glance: which classes are confused, which are told worst and best, what it was made with.
 * @param options `choose` leads to a cell's photographs
 */
export function createRunSummary({
  set,
  choose,
}: {
  set: (patch: Partial<TransferState>) => void;
  choose: (cell: [number, number]) => void;
}) {
  const pairs = createPairs({ testid: "summary-pairs", pick: choose });
  const pairsTitle = h("h4", {}, "Most confused");
  const worst = createExtremes({ testid: "summary-worst", words: "Worst classes", open: () => set({ show: "classes", sort: "worst" }) });
  const best = createExtremes({ testid: "summary-best", words: "Best classes", open: () => set({ show: "classes", sort: "best" }) });
  const comparison = createComparison();
  const settings = h("dl", { class: "dwt-facts", "data-testid": "settings" });
  const skippedWords = h("summary", {});
  const skippedList = h("ul", {});
  const skipped = h("details", { class: "dwt-skipped", hidden: true, "data-testid": "skipped" }, skippedWords, skippedList);
  const left = h("div", { class: "dwt-most-confused" }, pairsTitle, pairs.element);
  const right = h("div", { class: "dwt-extremes" }, worst.element, best.element);
  const element = h(
    "section",
    { class: "dwt-summary", "aria-label": "Summary" },
    comparison.element,
    h("div", { class: "dwt-glance" }, left, right),
    settings,
    skipped,
  );
  let drawn = "";

  const update = (run: RunView, other: RunView | null) => {
    const key = `${runVersion(run.summary)} ${other && runVersion(other.summary)}`;
    if (key === drawn) return;
    drawn = key;
    comparison.element.hidden = !other;
    settings.hidden = Boolean(other); // the comparison has them
    if (other) comparison.update(run, other);
    const found = confusedPairs(run, GLANCE_PAIRS);
    setText(pairsTitle, found.length ? "Most confused" : "No class was taken for another.");
    pairs.update(run, found);
    const ranked = extremes(run, GLANCE_CLASSES);
    worst.update(run, ranked.worst);
    best.update(run, ranked.best);
    settings.replaceChildren(...settingList(run.summary));
    skipped.hidden = !run.skipped.length;
    setText(skippedWords, `${counted(run.skipped.length, "photograph")} could not be read and took no part`);
    skippedList.replaceChildren(...run.skipped.map(({ name, reason }) => h("li", {}, `${name}: ${reason}`)));
  };
  return { element, update };
}

function createExtremes({ testid, words, open }: { testid: string; words: string; open: () => void }) {
  const list = h("ol", { class: "dwt-extreme-list", "data-testid": testid });
  const all = h("button", { type: "button", class: "dwt-link", "data-testid": `${testid}-open`, onclick: open }, "with photographs");
  const element = h("div", {}, h("div", { class: "dwt-pane-head" }, h("h4", {}, words), all), list);
  const update = (run: RunView, classes: number[]) => {
    element.hidden = !classes.length;
    const rows = classes.map((one) => {
      const share = run.accuracy[one];
      const bar = h("span", { class: "dwt-track" }, h("i", { class: "dwt-fill-right", style: `width:${100 * share}%` }));
      return h(
        "li",
        {},
        h("span", { class: "dwt-gain-name", title: run.categories[one] }, cutName(run.categories[one])),
        bar,
        h("span", { class: "dwt-number" }, percent(share)),
      );
    });
    list.replaceChildren(...rows);
  };
  return { element, update };
}
