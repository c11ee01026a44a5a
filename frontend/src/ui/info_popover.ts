import { h, screenReaderText, setText } from "./dom.ts";
import { createPopover } from "./popover.ts";

/**
 * Create a button that shows and hides a panel below it. Escape and a click elsewhere hide it.
 * @param label the accessible name of the panel
 */
export function createInfoPopover({ label, testid, content }: { label: string; testid: string; content: Node[] }) {
  const panel = h("div", { class: "dwx-popover", role: "region", "aria-label": label, "data-testid": `${testid}-panel` }, ...content);
  const text = h("span", {});
  const name = screenReaderText(label);
  const icon = h("span", { class: "dwx-info-icon", "aria-hidden": "true" }, "i");
  const properties = { type: "button", class: "dwx-info-button", title: label, "data-testid": testid };
  const button = h("button", properties, icon, name, text);
  const element = h("div", { class: "dwx-info" }, button, panel);
  createPopover({ button, panel, element });

  /** @param shownText the text beside the icon */
  const update = (shownText: string) => {
    setText(text, shownText);
    setText(name, shownText ? `${label}: ` : label);
  };
  return { element, update };
}
