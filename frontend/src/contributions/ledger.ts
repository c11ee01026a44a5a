import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { formatSigned } from "./format.ts";
import type { Contributions } from "./wire.ts";

/** Create the sum that makes up the answer: listed units + others + rest = logit, or difference of two logits. */
export function createLedger() {
  const cells = Array.from({ length: 4 }, () => {
    const [name, value] = [h("span", {}), h("b", {})];
    return { name, value, element: h("span", { class: "dwu-ledger-cell" }, name, value) };
  });
  const signs = ["+", "+", "="].map((sign) => h("span", { class: "dwu-ledger-sign", "aria-hidden": "true" }, sign));
  const parts = cells.flatMap(({ element }, at) => [element, ...(signs[at] ? [signs[at]] : [])]);
  const element = h("div", { class: "dwu-ledger", "data-testid": "ledger" }, ...parts);

  const update = ({ ledger, request }: Contributions) => {
    const listed = ledger.values.reduce((sum, value) => sum + value, 0);
    const rest = ledger.closes ? `biases${request.baseline ? ", and the mean photograph" : ""}` : "interactions of units, and biases";
    const texts: [string, number][] = [
      [`${formatCount(ledger.units.length, "unit")} above`, listed],
      [formatCount(ledger.others_count, "other unit"), ledger.others],
      [rest, ledger.rest],
      [request.against === null ? "logit" : "difference of the logits", ledger.output],
    ];
    texts.forEach(([name, value], at) => {
      const cell = cells[at];
      if (!cell) return;
      setText(cell.name, name);
      setText(cell.value, formatSigned(value));
    });
  };
  return { element, update };
}
