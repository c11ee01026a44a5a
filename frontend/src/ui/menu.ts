import { h } from "./dom.ts";

export interface MenuItem {
  words: string;
  testid: string;
  act: () => void;
}

/**
 * A button and the menu that it opens, after the WAI-ARIA pattern: arrow keys move, Home and End go to the ends, Escape, Tab or another
 * focus closes it.
 * @param label the button's accessible name
 * @param words the button's text
 */
export function createMenu({ label, words = "…", testid, items }: { label: string; words?: string; testid: string; items: MenuItem[] }) {
  const properties = { type: "button", role: "menuitem", tabindex: -1, class: "dwx-item" };
  const buttons = items.map((item) => h("button", { ...properties, "data-testid": item.testid, onclick: () => act(item) }, item.words));
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
    words,
  );
  const onkeydown = (event: KeyboardEvent) => {
    if (list.hidden) {
      if (event.key !== "ArrowDown") return;
      open(true);
    } else if (event.key === "Escape") open(false);
    else if (event.key === "Tab") {
      open(false);
      return; // and the focus moves on
    } else if (event.key === "Enter" || event.key === " ") {
      event.stopPropagation();
      return; // the button acts
    } else {
      const at = buttons.indexOf(event.target as HTMLButtonElement);
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
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
  function act(item: MenuItem): void {
    open(false);
    item.act();
  }
  return element;
}
