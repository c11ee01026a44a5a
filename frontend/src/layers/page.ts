import { UnitDetail } from "./detail.js";
import { h, setText } from "./dom.js";
import { progressWords } from "./format.js";
import { UnitGrid } from "./grid.js";
import { createHeader } from "./header.js";
import { createLayers } from "./layers.js";
import { createFooter, createToolbar } from "./toolbar.js";

/**
 * The parts of a view and how they stand together.
 * @param {object} options
 * @param {import("./requests.js").Wire} options.wire
 * @param {(patch: any) => void} options.set
 * @param {(layer: string) => void} options.goTo
 * @param {(text: string) => void} options.find
 * @param {(text: string) => void} options.typed
 * @param {(unit: number) => void} options.scrolled
 * @param {(figure: string) => void} options.save
 * @param {() => void} options.copy
 * @param {(info: any) => void} options.painted
 */
export function createPage({ wire, set, goTo, find, typed, scrolled, save, copy, painted }) {
  const id = `dwx-${wire.view}`;
  const header = createHeader({ set, save, copy });
  const layers = createLayers({ pick: goTo });
  const toolbar = createToolbar({ id, set, find, typed });
  const detail = new UnitDetail({ wire, set, painted });
  const pick = (/** @type {number} */ unit) => set({ unit, rank: 0 });
  const grid = new UnitGrid({ id, wire, pick, open: () => detail.focus(), expect: (unit, lane) => detail.expect(unit, lane), scrolled });
  const footer = createFooter();
  const wait = createWait();
  const alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
  const refusal = createRefusal({ set });
  const middle = h("section", { class: "dwx-middle", "aria-label": "Units" }, toolbar.element, wait.element, grid.element);
  const main = h("div", { class: "dwx-main" }, layers.element, middle, detail.element);
  const frame = h("div", { class: "dwx-frame" }, header.element, alert, refusal.element, main, footer.element);
  const root = h("div", { class: "dwx", "data-testid": "layer-explorer" }, frame);

  /** @param {string} words empty for none */
  const complain = (words) => {
    alert.hidden = !words;
    setText(alert, words);
  };
  /** @param {boolean} waiting @param {any} progress */
  const showWait = (waiting, progress) => {
    root.dataset.waiting = String(waiting);
    wait.update(waiting, progress);
  };
  const close = () => {
    grid.close();
    detail.close();
    root.remove();
  };
  return { root, header, layers, refusal, toolbar, grid, detail, footer, complain, showWait, close };
}

/**
 * Said once, above everything: the rule does not lead down from this layer, and which one does.
 * @param {{set: (patch: any) => void}} options
 */
function createRefusal({ set }) {
  const words = h("span", { "data-testid": "refusal-words" });
  const button = h("button", { type: "button", class: "dwx-use", "data-testid": "use-gradient", onclick: () => set({ rule: "gradient" }) }, "Show the gradient");
  const element = h("div", { class: "dwx-refusal", role: "status", hidden: true, "data-testid": "refusal" }, words, button);
  /** @param {string | undefined} refusal why, where it does not */
  const update = (refusal) => {
    element.hidden = !refusal;
    setText(words, refusal ?? "");
    words.title = refusal ?? "";
  };
  return { element, update };
}

/** What stands in the grid's place until the index does. */
function createWait() {
  const bar = h("progress", { max: 1, "aria-label": "Index of strongest activations" });
  const words = h("span", {});
  const title = h("p", {}, "Looking for each unit's strongest activations");
  const element = h("div", { class: "dwx-wait", "data-testid": "progress", hidden: true }, title, bar, words);
  /** @param {boolean} waiting @param {any} progress */
  const update = (waiting, progress) => {
    element.hidden = !waiting;
    if (!waiting) return;
    if (progress?.total) bar.setAttribute("value", String(progress.done / progress.total));
    else bar.removeAttribute("value");
    setText(words, progressWords(progress));
  };
  return { element, update };
}
