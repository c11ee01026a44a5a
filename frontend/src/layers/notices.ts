/** What is shown above the grid, or in its place. */
import type { Progress } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatProgress } from "../ui/format.ts";

/** Says that the rule cannot be applied to the layer, and offers the one that can. */
export function createRefusal({ useGradient }: { useGradient: () => void }) {
  const words = h("span", { "data-testid": "refusal-words" });
  const properties = { type: "button", class: "dwx-use", "data-testid": "use-gradient", onclick: useGradient };
  const button = h("button", properties, "Use the gradient");
  const element = h("div", { class: "dwx-refusal", role: "status", hidden: true, "data-testid": "refusal" }, words, button);
  const update = (reason: string | undefined) => {
    element.hidden = !reason;
    setText(words, reason ?? "");
    words.title = reason ?? "";
  };
  return { element, update };
}

/** How far the index is; shown until it is complete. */
export function createIndexProgress() {
  const bar = h("progress", { max: 1, "aria-label": "Activation index" });
  const words = h("span", { role: "status" });
  const title = h("p", {}, "Building the activation index: the strongest activations of each unit");
  const element = h("div", { class: "dwx-wait", "data-testid": "progress", hidden: true }, title, bar, words);
  const update = (progress: Progress | null) => {
    if (progress?.total) bar.value = progress.done / progress.total;
    else bar.removeAttribute("value");
    setText(words, formatProgress(progress, "images"));
  };
  return { element, update };
}
