import { h, screenReaderText } from "../ui/dom.ts";
import { formatInteger, formatPercent } from "../ui/format.ts";
import { createClassName } from "./class_names.ts";
import { type Cell, type ClassResults, categoryOf, countTests, type Pair } from "./class_results.ts";

/** Create a list of pairs of a true and a predicted class, with bars. */
export function createPairs({ testid, pick }: { testid: string; pick: (cell: Cell) => void }) {
  const element = h("ol", { class: "dwc-pairs", "data-testid": testid });

  const createRow = (run: ClassResults, { truth, prediction, count, share }: Pair, longest: number, showTruth: boolean) => {
    const from = categoryOf(run, truth);
    const to = run.predictedName?.(truth, prediction) ?? categoryOf(run, prediction);
    const numbers = `${formatInteger(count)} of ${formatInteger(countTests(run, truth))}`;
    const description = `${from} → ${to}: ${numbers} ${run.words.item}s. Show the photographs`;
    const properties = { type: "button", class: "dwc-pair", title: description, "data-testid": `${testid}-${truth}-${prediction}` };
    const names = [
      showTruth ? createClassName(from) : screenReaderText(from),
      h("i", {}, "→"),
      createClassName(to),
      screenReaderText(": "),
    ];
    const bar = h("i", { class: "dwc-fill-wrong", style: `width:${(100 * share) / longest}%` });
    return h(
      "button",
      { ...properties, onclick: () => pick([truth, prediction]) },
      h("span", { class: "dwc-pair-names" }, ...names),
      h("span", { class: "dwc-track" }, bar),
      h("span", { class: "dwc-number" }, formatPercent(share), screenReaderText(", ")),
      h("span", { class: "dwc-number dwc-dim" }, numbers),
    );
  };

  /**
   * Show pairs.
   * @param pairs pairs by descending share
   * @param showTruth whether to show the true class, which may be the same for all pairs
   */
  const update = (run: ClassResults, pairs: Pair[], showTruth = true) => {
    const longest = pairs[0]?.share ?? 1;
    element.replaceChildren(...pairs.map((pair) => h("li", {}, createRow(run, pair, longest, showTruth))));
  };
  return { element, update };
}
