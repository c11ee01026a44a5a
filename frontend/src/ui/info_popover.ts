import { h, screenReaderText, setText } from "./dom.ts";

/**
 * Create a button that shows and hides a panel below it. Escape and a click elsewhere hide it.
 * @param label the accessible name of the panel
 */
export function createInfoPopover({ label, testid, content }: { label: string; testid: string; content: Node[] }) {
  const panel = h(
    "div",
    { class: "dwx-popover", role: "region", "aria-label": label, hidden: true, "data-testid": `${testid}-panel` },
    ...content,
  );
  const text = h("span", {});
  const name = screenReaderText(label);
  const icon = h("span", { class: "dwx-info-icon", "aria-hidden": "true" }, "i");
  const properties = { type: "button", class: "dwx-info-button", "aria-expanded": "false", title: label, "data-testid": testid };
  const button = h("button", { ...properties, onclick: () => show(Boolean(panel.hidden)) }, icon, name, text);
  const onkeydown = (event: KeyboardEvent) => {
    if (event.key === "Enter" || event.key === " ") event.stopPropagation(); // the browser clicks the button
    if (event.key !== "Escape" || panel.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    show(false);
    button.focus();
  };
  const onfocusout = ({ relatedTarget }: FocusEvent) => {
    if (!element.contains(relatedTarget as Node | null)) show(false);
  };
  // With a tabindex, a click on its text keeps the focus inside: the text can be selected.
  panel.tabIndex = -1;
  const element = h("div", { class: "dwx-info", onkeydown, onfocusout }, button, panel);
  function show(shown: boolean): void {
    panel.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  }

  /** @param shownText the text beside the icon */
  const update = (shownText: string) => {
    setText(text, shownText);
    setText(name, shownText ? `${label}: ` : label);
  };
  return { element, update };
}
