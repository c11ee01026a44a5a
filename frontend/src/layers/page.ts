import { UnitDetail } from "./unit_detail.ts";
import { h, setText } from "../ui/dom.ts";
import { progressWords } from "../ui/format.ts";
import { UnitGrid } from "./unit_grid.ts";
import { createHeader } from "./header.ts";
import { createLayers } from "./layer_list.ts";
import { createFooter, createToolbar } from "./toolbar.ts";
import type { Wire } from "./store.ts";
import type { Progress } from "../kernel/wire.ts";
import type { Painted } from "../ui/explorer_view.ts";
import type { LayerState } from "./wire.ts";

/** The parts of a view and how they stand together. */
export function createPage({
  wire,
  set,
  goTo,
  find,
  typed,
  scrolled,
  save,
  copy,
  painted,
}: {
  wire: Wire;
  set: (patch: Partial<LayerState>) => void;
  goTo: (layer: string) => void;
  find: (text: string) => void;
  typed: (text: string) => void;
  scrolled: (unit: number) => void;
  save: (figure: string) => void;
  copy: () => void;
  painted: (info: Painted) => void;
}) {
  const id = `dwx-${wire.view}`;
  const header = createHeader({ set, save, copy });
  const layers = createLayers({ pick: goTo });
  const toolbar = createToolbar({ id, set, find, typed });
  const detail = new UnitDetail({ wire, set, painted });
  const pick = (unit: number) => set({ unit, rank: 0 });
  const grid = new UnitGrid({ id, wire, pick, open: () => detail.focus(), expect: (unit, lane) => detail.expect(unit, lane), scrolled });
  const footer = createFooter();
  const wait = createWait();
  const alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
  const refusal = createRefusal({ set });
  const middle = h("section", { class: "dwx-middle", "aria-label": "Units" }, toolbar.element, wait.element, grid.element);
  const main = h("div", { class: "dwx-main" }, layers.element, middle, detail.element);
  const frame = h("div", { class: "dwx-frame" }, header.element, alert, refusal.element, main, footer.element);
  const root = h("div", { class: "dwx", "data-testid": "layer-explorer" }, frame);

  /** @param words empty for none */
  const complain = (words: string) => {
    alert.hidden = !words;
    setText(alert, words);
  };
  const showWait = (waiting: boolean, progress: Progress | null) => {
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

/** Said once, above everything: the rule does not lead down from this layer, and which one does. */
function createRefusal({ set }: { set: (patch: Partial<LayerState>) => void }) {
  const words = h("span", { "data-testid": "refusal-words" });
  const button = h(
    "button",
    { type: "button", class: "dwx-use", "data-testid": "use-gradient", onclick: () => set({ rule: "gradient" }) },
    "Show the gradient",
  );
  const element = h("div", { class: "dwx-refusal", role: "status", hidden: true, "data-testid": "refusal" }, words, button);
  /** @param refusal why, where it does not */
  const update = (refusal: string | undefined) => {
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
  const update = (waiting: boolean, progress: Progress | null) => {
    element.hidden = !waiting;
    if (!waiting) return;
    if (progress?.total) bar.setAttribute("value", String(progress.done / progress.total));
    else bar.removeAttribute("value");
    setText(words, progressWords(progress));
  };
  return { element, update };
}
