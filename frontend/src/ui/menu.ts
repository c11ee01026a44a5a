import { h } from "./dom.ts";

export interface MenuItem {
  text: string;
  testid: string;
  onSelect: () => void;
}

/**
 * Create a menu button after the WAI-ARIA pattern: arrow keys, Home and End move the focus; Escape, Tab and loss of focus close the menu.
 * @param label the accessible name of the button
 * @param text the text of the button
 */
export function createMenu({ label, text = "…", testid, items }: { label: string; text?: string; testid: string; items: MenuItem[] }) {
  const properties = { type: "button", role: "menuitem", tabindex: -1, class: "dwx-item" };
  const buttons = items.map((item) => h("button", { ...properties, "data-testid": item.testid, onclick: () => select(item) }, item.text));
  const list = h("div", { class: "dwx-menu-list", role: "menu", "aria-label": label, hidden: true }, ...buttons);
  const button = h(
    "button",
    {
      type: "button",
      class: "dwx-menu-button",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": label,
      title: label,
      "data-testid": testid,
      onclick: () => open(Boolean(list.hidden)),
    },
    text,
  );
  const onkeydown = (event: KeyboardEvent) => {
    if (list.hidden) {
      if (event.key !== "ArrowDown") return;
      open(true);
    } else if (event.key === "Escape") open(false);
    else if (event.key === "Tab") {
      open(false);
      return; // Tab moves the focus
    } else if (event.key === "Enter" || event.key === " ") {
      event.stopPropagation();
      return; // the browser clicks the focused button
    } else {
      const index = buttons.indexOf(event.target as HTMLButtonElement);
      const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key];
      if (next !== undefined) buttons.at(next % buttons.length)?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const onfocusout = (event: FocusEvent) => {
    if (!element.contains(event.relatedTarget as Node | null)) open(false, false);
  };
  const element = h("div", { class: "dwx-menu", onkeydown, onfocusout }, button, list);
  function open(shown: boolean, focus = true): void {
    list.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
    if (focus) (shown ? buttons[0] : button)?.focus();
  }
  function select(item: MenuItem): void {
    open(false);
    item.onSelect();
  }
  return element;
}
