import { h } from "./dom.js";

/**
 * A button and the menu that it opens; arrow keys move in it, Escape or another focus closes it.
 * @param {{label: string, words?: string, testid: string, items: {words: string, testid: string, act: () => void}[]}} options
 *   `label` is what the button is called, `words` what it shows
 */
export function createMenu({ label, words = "…", testid, items }) {
  const item = { type: "button", role: "menuitem", tabindex: -1, class: "dwx-item" };
  const buttons = items.map((one) => h("button", { ...item, "data-testid": one.testid, onclick: () => act(one.act) }, one.words));
  const list = h("div", { class: "dwx-menu-list", role: "menu", hidden: true }, ...buttons);
  const properties = { type: "button", class: "dwx-menu-button", "aria-haspopup": "menu", "aria-expanded": "false" };
  const button = h("button", { ...properties, "aria-label": label, title: label, "data-testid": testid, onclick: () => open(list.hidden) }, words);
  /** @param {KeyboardEvent} event */
  const onkeydown = (event) => {
    if (list.hidden) return;
    const at = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) buttons[(at + step + buttons.length) % buttons.length].focus();
    else if (event.key === "Escape") open(false);
    else if (event.key !== "Enter" && event.key !== " ") return;
    if (event.key !== "Enter" && event.key !== " ") event.preventDefault();
    event.stopPropagation();
  };
  /** @param {FocusEvent} event */
  const onfocusout = (event) => {
    if (!element.contains(/** @type {Node | null} */ (event.relatedTarget))) open(false, false);
  };
  const element = h("div", { class: "dwx-menu", onkeydown, onfocusout }, button, list);
  /** @param {boolean} shown @param {boolean} [focus] */
  function open(shown, focus = true) {
    list.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
    if (focus) (shown ? buttons[0] : button).focus();
  }
  /** @param {() => void} action */
  function act(action) {
    open(false);
    action();
  }
  return element;
}
