/** Elements without a framework. */

/**
 * An element: properties by name ("class", "on…" listeners, "data-…" and "aria-…" attributes), then children.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined)));
  return element;
}

/**
 * Write text only where it changed, so that a screen reader is not told twice.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent === text) return;
  const only = element.childNodes.length === 1 ? element.firstChild : null;
  if (only instanceof Text && text) only.data = text;
  else element.textContent = text;
}

/**
 * How large a canvas must be to fill an element, and how many of its pixels are one CSS pixel.
 * @param {Element} element
 * @returns {[number, number, number]} width, height, ratio
 */
export function devicePixels({ clientWidth, clientHeight }) {
  const ratio = globalThis.devicePixelRatio || 1;
  return [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio), ratio];
}

/**
 * A row of choices of which one is on; arrow keys move within it.
 * @param {{label: string, testid?: string, choices: [string, string, string?][], prefix: string, pick: (name: string) => void}} options
 *   choices are [name, words, hint]
 */
export function segments({ label, testid, choices, prefix, pick }) {
  /** @type {Map<string, HTMLElement>} */
  const buttons = new Map();
  for (const [name, words, hint] of choices) {
    const properties = { type: "button", role: "radio", class: "dwx-segment", "data-testid": `${prefix}-${name}`, title: hint };
    buttons.set(name, h("button", { ...properties, onclick: () => pick(name) }, words));
  }
  /** @param {KeyboardEvent} event */
  const onkeydown = (event) => {
    const order = [...buttons.keys()].filter((name) => !buttons.get(name)?.hidden);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = order.findIndex((name) => buttons.get(name) === event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = order[(at + step + order.length) % order.length];
    pick(next);
    buttons.get(next)?.focus();
  };
  const element = h("div", { role: "radiogroup", "aria-label": label, class: "dwx-segments", "data-testid": testid, onkeydown }, ...buttons.values());
  /** @param {string} chosen */
  const show = (chosen) => {
    for (const [name, button] of buttons) {
      button.setAttribute("aria-checked", String(name === chosen));
      button.tabIndex = name === chosen ? 0 : -1;
    }
  };
  return { element, show };
}

/**
 * A labelled select.
 * @param {{label: string, testid: string, choices: [string, string][], pick: (name: string) => void, hint?: string}} options
 */
export function choice({ label, testid, choices, pick, hint }) {
  const options = choices.map(([name, words]) => h("option", { value: name }, words));
  const select = /** @type {HTMLSelectElement} */ (h("select", { "data-testid": testid, class: "dwx-select", title: hint }, ...options));
  select.addEventListener("change", () => pick(select.value));
  const element = h("label", { class: "dwx-choice" }, `${label} `, select);
  return { element, select };
}

const HIDDEN_AFTER = 120; // ms: a page in the background draws no frames

/** Kept when what was drawn is on the screen. @returns {Promise<void>} */
export function framePassed() {
  return new Promise((resolve) => {
    const hidden = setTimeout(resolve, HIDDEN_AFTER);
    const passed = () => resolve(clearTimeout(hidden));
    // Right after the frame: a timer would first wait for whatever else the notebook has to do.
    requestAnimationFrame(() => ("scheduler" in globalThis ? globalThis.scheduler.postTask(passed, { priority: "user-blocking" }) : setTimeout(passed, 0)));
  });
}
