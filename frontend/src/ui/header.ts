import { h, setText } from "./dom.ts";
import { formatCount } from "./format.ts";
import { createInfoPopover } from "./info_popover.ts";

const WAITING = "Waiting for the kernel; it replies when the running cells have finished.";
const LABEL = "Weights, classes, images and device";

export interface HeaderContent {
  model: string;
  title: string;
  /** What a reader must know at once, in a few words each. */
  warnings: string[];
  /** Names and values for the panel behind the info button. */
  origin: [name: string, value: string][];
  /** Sentences for the panel. */
  notes: string[];
}

/**
 * Create the header: the model, a title, warnings, and a button that shows the origin of weights and images.
 * @param tools controls on the right
 */
export function createHeader(...tools: Node[]) {
  const name = h("b", { class: "dwx-model" });
  const title = h("span", { class: "dwx-title", "data-testid": "title" }, WAITING);
  const warnings = h("span", { class: "dwx-warnings", "data-testid": "warnings" });
  const origin = h("dl", { class: "dwx-origin", "data-testid": "origin" });
  const notes = h("ul", { class: "dwx-notes", "data-testid": "notes" });
  const info = createInfoPopover({ label: LABEL, testid: "info", content: [origin, notes] });
  const description = h("div", { class: "dwx-line" }, name, title, warnings, info.element);
  const element = h("header", { class: "dwx-header" }, h("div", { class: "dwx-top" }, description, ...tools));
  let shown = "";

  const update = (content: HeaderContent) => {
    setText(name, content.model);
    setText(title, content.title);
    title.title = content.title;
    const key = JSON.stringify(content);
    if (key === shown) return; // the panel's text may be selected
    shown = key;
    warnings.replaceChildren(...content.warnings.map((text) => h("span", {}, text)));
    origin.replaceChildren(...content.origin.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
    notes.replaceChildren(...content.notes.map((note) => h("li", {}, note)));
    notes.hidden = content.notes.length === 0;
    info.update(content.notes.length ? formatCount(content.notes.length, "note") : "");
  };
  return { element, update };
}
