/** Messages above the grid, or in place of it. */
import type { Progress } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatInteger, formatPace, formatProgress } from "../ui/format.ts";
import type { Table } from "./unit_table.ts";
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

const SO_FAR = "The strongest activations in these. The units are sorted again when the index is complete.";

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
    const items = overview.crops > overview.photographs ? "crops" : "photographs";
    element.dataset.partial = String(crops !== null);
    element.title = crops === null ? "" : SO_FAR;
    if (crops !== null)
      setText(title, `Building the index. Strongest in the first ${formatInteger(crops)} of ${formatInteger(overview.crops)} ${items}:`);
    else if (progress && !isOwn) setText(title, `The index of ${layer} is built after the one that is being built now:`);
    else setText(title, `Building the activation index${isListed ? "" : ` of ${layer}`}: the strongest activations of each unit`);
    if (progress?.total) bar.value = progress.done / progress.total;
    else bar.removeAttribute("value");
    setText(text, crops === null || !progress ? formatProgress(progress, items) : formatPace(progress));
  };
  return { element, update };
}

/** Return the overview of the crops whose results are shown. */
export function soFar(overview: Overview, table: Table | undefined): Overview {
  const crops = table?.crops ?? null;
  if (crops === null) return overview;
  return { ...overview, crops, photographs: overview.crops > overview.photographs ? 0 : crops };
}
