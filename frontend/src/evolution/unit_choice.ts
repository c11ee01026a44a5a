/** Which units the rows show: a panel below a button of the header. */
import { UserError } from "../kernel/errors.ts";
import { h, setText } from "../ui/dom.ts";
import { createPopover } from "../ui/popover.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { createTextField } from "../ui/text_field.ts";
import { describeChoice } from "./texts.ts";
import type { Choose, EvolutionLayer, EvolutionState, UnitName } from "./wire.ts";

const CHOICES: [Choose, string, string][] = [
  ["random", "Random", "Units drawn at random, the same ones for the same seed"],
  ["changed", "Changed most", "The units whose strongest image changed most often"],
  ["chosen", "Chosen", "The units that are listed"],
];
const MAX_COUNT = 64;
const MAX_SEED = 2 ** 31 - 1;
const EXAMPLE = "conv3 15, 29; conv4 8";

/** Return units as text: "conv3 15, 29; conv4 8". */
export function formatUnits(units: readonly UnitName[]): string {
  const layers = [...new Set(units.map(([layer]) => layer))];
  return layers.map((name) => `${name} ${units.flatMap(([layer, unit]) => (layer === name ? [unit] : [])).join(", ")}`).join("; ");
}

/** Return the units that a text lists. Throw UserError with the reason if it cannot be read. */
export function parseUnits(text: string, layers: readonly EvolutionLayer[]): UnitName[] {
  const units: UnitName[] = [];
  let layer: EvolutionLayer | undefined;
  for (const word of text.split(/[\s,;]+/).filter(Boolean)) {
    const named = layers.find(({ short_name }) => short_name === word);
    if (named) layer = named;
    else if (!/^\d+$/.test(word))
      throw new UserError(`there is no layer ${word}; the layers are ${layers.map((entry) => entry.short_name).join(", ")}.`);
    else if (!layer) throw new UserError(`name a layer before its units, such as ${EXAMPLE}.`);
    else if (Number(word) >= layer.units) throw new UserError(`${layer.short_name} has the units 0 to ${layer.units - 1}.`);
    else units.push([layer.short_name, Number(word)]);
  }
  const isFirst = ([name, unit]: UnitName, index: number) => units.findIndex((other) => other[0] === name && other[1] === unit) === index;
  return units.filter(isFirst);
}

function parseInteger(text: string, low: number, high: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < low || value > high) throw new UserError(`a whole number from ${low} to ${high}.`);
  return value;
}

interface UnitChoiceOptions {
  set: (patch: Partial<EvolutionState>) => void;
  showStatus: (text: string) => void;
}

export function createUnitChoice({ set, showStatus }: UnitChoiceOptions) {
  let layers: readonly EvolutionLayer[] = [];
  let state: EvolutionState | null = null;
  let shownLayers = "";
  const change = (patch: Partial<EvolutionState>) => set({ ...patch, unit: null });
  const listeners = { showStatus, onEnter: () => {} };
  const pick = (choose: Choose) => change({ choose, ...(choose === "chosen" && !state?.units.length ? { units: shownUnits } : {}) });
  const choose = createRadioGroup({ label: "Units", prefix: "choose", testid: "choose", choices: CHOICES, pick });
  const seed = createTextField({
    ...listeners,
    label: "Seed",
    testid: "seed",
    numeric: true,
    parse: (text) => parseInteger(text, 0, MAX_SEED),
    accept: (value) => change({ seed: value }),
  });
  const other = () => change({ choose: "random", seed: ((state?.seed ?? 0) + 1) % MAX_SEED });
  const another = h("button", { type: "button", class: "dwx-menu-button", "data-testid": "another", onclick: other }, "Next seed");
  another.title = "Draw other units";
  const count = createTextField({
    ...listeners,
    label: "Per layer",
    testid: "count",
    numeric: true,
    parse: (text) => parseInteger(text, 1, MAX_COUNT),
    accept: (value) => change({ count: value }),
  });
  const list = createTextField<UnitName[]>({
    ...listeners,
    label: "Units",
    testid: "chosen",
    wide: true,
    placeholder: EXAMPLE,
    parse: (text) => parseUnits(text, layers),
    accept: (units) => change({ choose: "chosen", units }),
  });
  const boxes = h("div", { class: "dwv-layer-boxes", role: "group", "aria-label": "Layers" });
  const random = h("div", { class: "dwv-choice-row" }, seed.element, another);
  const panel = h("div", { class: "dwx-popover dwv-choice-panel", role: "group", "aria-label": "Units that are shown" });
  panel.append(choose.element, random, count.element, list.element, boxes);
  const text = h("b", {});
  const button = h("button", { type: "button", class: "dwx-menu-button dwv-choice", "data-testid": "units-choice" }, "units ", text, " ▾");
  const element = h("div", { class: "dwx-menu dwv-choice-menu" }, button, panel);
  createPopover({ button, panel, element });
  let shownUnits: UnitName[] = [];

  const toggleLayer = (name: string, checked: boolean) => {
    const all = layers.map(({ short_name }) => short_name);
    const current = state?.layers.length ? state.layers : all;
    const next = all.filter((layer) => (layer === name ? checked : current.includes(layer)));
    if (next.length) change({ layers: next.length === all.length ? [] : next });
    else drawLayers(); // one layer stays
  };

  /** Keep the boxes: the panel would close if the one that has the focus were removed. */
  const drawLayers = () => {
    const names = layers.map(({ short_name }) => short_name);
    if (names.join("|") !== shownLayers) {
      shownLayers = names.join("|");
      boxes.replaceChildren(
        ...layers.map(({ short_name: name, units }) => {
          const box = h("input", { type: "checkbox", value: name, "data-testid": `layer-${name}` });
          box.addEventListener("change", () => toggleLayer(name, box.checked));
          return h("label", { title: `${units} units` }, box, ` ${name}`);
        }),
      );
    }
    const chosen = state?.layers ?? [];
    for (const box of boxes.querySelectorAll("input")) box.checked = chosen.length === 0 || chosen.includes(box.value);
  };

  /** @param units the units of the rows */
  const update = (newState: EvolutionState, newLayers: readonly EvolutionLayer[], units: UnitName[]) => {
    state = newState;
    layers = newLayers;
    shownUnits = units;
    setText(text, describeChoice(state));
    choose.show(state.choose);
    seed.show(String(state.seed));
    count.show(String(state.count));
    list.show(formatUnits(state.units));
    random.hidden = state.choose !== "random";
    count.element.hidden = boxes.hidden = state.choose === "chosen";
    list.element.hidden = state.choose !== "chosen";
    drawLayers();
  };
  return { element, update };
}
