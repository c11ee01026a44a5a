import { h } from "./dom.ts";

export interface MenuItem {
  text: string;
  testid: string;
  onSelect: () => void;
  /** Consecutive items of the same group stand in one row, after its name. */
  group?: string;
  /** Whether the item is the chosen one of its group. Such items leave the menu open. */
  checked?: () => boolean;
}

/**
 * Create a menu button after the WAI-ARIA pattern: arrow keys (in a group also to the sides), Home and End move the focus; Escape, Tab and loss of focus close the menu.
 * @param label the accessible name of the button
 * @param text the text of the button
 */
export function createMenu({ label, text = "…", testid, items }: { label: string; text?: string; testid: string; items: MenuItem[] }) {
  const buttons = items.map((item) => createItem(item, () => select(item)));
  const list = h("div", { class: "dwx-menu-list", role: "menu", "aria-label": label, hidden: true }, ...arrange(items, buttons));
  const showChecked = () => {
    items.forEach(({ checked }, index) => {
      if (checked) buttons[index]?.setAttribute("aria-checked", String(checked()));
    });
  };
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
      const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 }[event.key] ?? nextRow(items, index, event.key);
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
    showChecked();
    button.setAttribute("aria-expanded", String(shown));
    if (focus) (shown ? buttons[0] : button)?.focus();
  }
  function select(item: MenuItem): void {
    if (!item.checked) open(false);
    item.onSelect();
    showChecked();
  }
  return element;
}

function createItem({ text, testid, group, checked }: MenuItem, onclick: () => void): HTMLButtonElement {
  const role = checked ? "menuitemradio" : "menuitem";
  const label = group ? `${group}: ${text}` : null;
  return h("button", { type: "button", role, tabindex: -1, class: "dwx-item", "data-testid": testid, "aria-label": label, onclick }, text);
}

/** Return the buttons, those of a group in a row after its name. */
function arrange(items: MenuItem[], buttons: HTMLButtonElement[]): HTMLElement[] {
  const rows: HTMLElement[] = [];
  items.forEach(({ group }, index) => {
    const [button, row] = [buttons[index] as HTMLButtonElement, rows.at(-1)];
    if (!group) rows.push(button);
    else if (row?.dataset.group === group) row.append(button);
    else rows.push(h("div", { class: "dwx-menu-row", role: "group", "aria-label": group, "data-group": group }, button)); // CSS shows the name
  });
  return rows;
}

/** Return the item that the arrow keys up and down move to: the one of the same place in the row below or above. */
function nextRow(items: MenuItem[], index: number, key: string): number | undefined {
  if (key !== "ArrowDown" && key !== "ArrowUp") return undefined;
  const firstOf = (at: number) =>
    items.findIndex(({ group }, other) => other === at || (group !== undefined && group === items[at]?.group));
  const rows = items.map((_, at) => firstOf(at)).filter((first, at) => first === at);
  const first = firstOf(index);
  const next = rows.at((rows.indexOf(first) + (key === "ArrowDown" ? 1 : -1)) % rows.length) ?? 0;
  const length = items.filter((_, at) => firstOf(at) === next).length;
  return next + Math.min(Math.max(index - first, 0), length - 1);
}
