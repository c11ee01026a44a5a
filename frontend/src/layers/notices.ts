/** Messages above the grid, or in place of it. */
import type { Progress } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatInteger, formatProgress } from "../ui/format.ts";
import type { Overview, Rule } from "./wire.ts";

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

interface IndexContent {
  progress: Progress | null;
  /** The layers of the pass over the images that is running. */
  progressLayers: string[];
  layer: string;
  /** The crops of the results that are shown; null: none are shown yet. */
  crops: number | null;
  overview: Overview;
}

/** Create the progress bar of the activation index. While results of the first crops are shown, it says so. */
export function createIndexProgress() {
  const bar = h("progress", { max: 1, "aria-label": "Activation index" });
  const text = h("span", { role: "status" });
  const title = h("p", {});
  const element = h("div", { class: "dwx-index-progress", "data-testid": "progress", hidden: true }, title, bar, text);
  const update = ({ progress, progressLayers, layer, crops, overview }: IndexContent) => {
    const isOwn = !progressLayers.length || progressLayers.includes(layer);
    const isListed = overview.layers.some(({ id }) => id === layer);
    element.dataset.partial = String(crops !== null);
    if (crops !== null) setText(title, describeSoFar(crops, overview));
    else if (progress && !isOwn) setText(title, `The index of ${layer} is built after the one that is being built now:`);
    else setText(title, `Building the activation index${isListed ? "" : ` of ${layer}`}: the strongest activations of each unit`);
    if (progress?.total) bar.value = progress.done / progress.total;
    else bar.removeAttribute("value");
    setText(text, formatProgress(progress, items(overview)));
  };
  return { element, update };
}

function items({ crops, photographs }: Overview): string {
  return crops > photographs ? "crops" : "photographs";
}

function describeSoFar(crops: number, overview: Overview): string {
  return `So far: the strongest of ${formatInteger(crops)} ${items(overview)}, in the order of the first ones.`;
}
