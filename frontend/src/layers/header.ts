import { h, setText } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { counted, grouped } from "../ui/format.ts";
import { createMenu } from "../ui/menu.ts";
import type { Layer, LayerState, Overview, Rule, View } from "./wire.ts";
import type { Choice } from "../ui/radio_group.ts";

export const RULES: Choice<Rule>[] = [
  ["deconvnet", "Deconvnet", "The paper's way down: rectify the signal itself at every rectifier"],
  ["gradient", "Gradient", "The gradient: a rectifier passes what it passed on the way up"],
  ["guided", "Guided", "Guided backpropagation: both conditions at once"],
];
const VIEWS: Choice<View>[] = [
  ["projections", "Projections", "What excited the unit, projected to pixels"],
  ["patches", "Patches", "What the unit saw"],
  ["both", "Both", "As the paper prints them, side by side"],
];
const EXPORTS: [string, string][] = [
  ["layer.png", "Layer as PNG"],
  ["layer.svg", "Layer as SVG"],
  ["layer.html", "Layer as HTML page"],
  ["unit.png", "Unit as PNG"],
  ["unit.svg", "Unit as SVG"],
  ["unit.html", "Unit as HTML page"],
];

/** What is shown, of what, in one line. */
export function titleWords(overview: Overview, layer: Layer | null | undefined) {
  const words = [];
  if (layer) words.push(`${layer.id} · ${counted(layer.channels, "unit")}${layer.dead === null ? "" : `, ${grouped(layer.dead)} dead`}`);
  const crops = overview.views > overview.photographs ? ` (${grouped(overview.views)} crops)` : "";
  words.push(`strongest ${overview.k} of ${counted(overview.photographs, "photograph")}${crops}`);
  return words.join(" · ");
}

/** Where everything comes from. */
export function originWords(overview: Overview) {
  const classes = overview.classifier ? `classes: ${overview.classifier}` : "no classifier";
  const skipped = overview.skipped.length ? ` (${grouped(overview.skipped.length)} skipped)` : "";
  return [overview.weights, classes, `${overview.images}${skipped}`, overview.device].join(" · ");
}

/** What leaves the page. */
function exportMenu({ save, copy }: { save: (figure: string) => void; copy: () => void }) {
  const items = EXPORTS.map(([figure, words]) => ({ words, testid: `export-${figure}`, act: () => save(figure) }));
  items.push({ words: "Copy state as Python", testid: "export-state", act: copy });
  return createMenu({ label: "Export", testid: "export-menu", items });
}

/** Model, weights, classes; the rule, what the tiles show, and the export menu. */
export function createHeader({
  set,
  save,
  copy,
}: {
  set: (patch: Partial<LayerState>) => void;
  save: (figure: string) => void;
  copy: () => void;
}) {
  const name = h("b", { class: "dwx-model" });
  const title = h(
    "span",
    { class: "dwx-title", "data-testid": "title" },
    "waiting for the kernel: it answers when the running cells are done",
  );
  const origin = h("span", { class: "dwx-origin", "data-testid": "origin" });
  const untrained = h("span", { class: "dwx-untrained", hidden: true }, "untrained: random weights");
  const notes = h("button", { type: "button", class: "dwx-notes", "aria-expanded": "false", "data-testid": "notes", hidden: true });
  notes.addEventListener("click", () => notes.setAttribute("aria-expanded", String(notes.getAttribute("aria-expanded") !== "true")));
  const rules = createRadioGroup({ label: "Rule", prefix: "rule", testid: "rules", choices: RULES, pick: (rule) => set({ rule }) });
  const views = createRadioGroup({ label: "Tiles show", prefix: "view", testid: "views", choices: VIEWS, pick: (view) => set({ view }) });
  const words = h("div", { class: "dwx-words" }, h("div", { class: "dwx-line" }, name, untrained, title), origin);
  const row = h("div", { class: "dwx-top" }, words, rules.element, views.element, exportMenu({ save, copy }));
  const element = h("header", { class: "dwx-header" }, row, notes);

  const update = (overview: Overview, layer: Layer | undefined, state: LayerState) => {
    setText(name, overview.model);
    setText(title, titleWords(overview, layer));
    setText(origin, originWords(overview));
    origin.title = origin.textContent ?? "";
    untrained.hidden = overview.trained;
    setText(notes, overview.notes.join(" "));
    notes.hidden = overview.notes.length === 0;
    rules.show(state.rule);
    views.show(state.view);
  };
  return { element, update };
}
