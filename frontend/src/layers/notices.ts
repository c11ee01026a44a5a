/** Messages above the grid, or in place of it. */
import { h, setText } from "../ui/dom.ts";
import type { Rule } from "./wire.ts";

/** Create the message that the rule cannot be applied to the layer, with buttons that select other rules. */
export function createRuleNotice(use: (rule: Rule) => void) {
  const text = h("span", { "data-testid": "refusal-words" });
  const button = (rule: Rule, label: string) =>
    h("button", { type: "button", class: "dwx-use-rule", "data-testid": `use-${rule}`, onclick: () => use(rule) }, label);
  const extend = button("extended", "Extend the rule beyond the paper");
  const parts = [text, extend, button("gradient", "Use the gradient")];
  const element = h("div", { class: "dwx-rule-notice", role: "status", hidden: true, "data-testid": "refusal" }, ...parts);
  const update = (reason: string | undefined) => {
    element.hidden = !reason;
    extend.hidden = !reason?.includes("beyond_paper=True"); // the message names it if it supports the layer
    setText(text, reason ?? "");
    text.title = reason ?? "";
  };
  return { element, update };
}
