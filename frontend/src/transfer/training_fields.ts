import { createSelect, h } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import type { Status, TransferState } from "./wire.ts";
import type { Choice } from "../ui/radio_group.ts";

/* The rows of the form that say how to train, and the boxes of its other rows. */

const VIEW_CHOICES: Choice[] = [
  ["one", "One", "The centre of each photograph"],
  ["flips", "Flips", "The centre and its mirror image, averaged: twice the time"],
  ["ten", "Ten", "Centre, corners and their mirror images, averaged: ten times the time"],
];
const FIELD_HINTS = {
  layer: "The layer whose features the new classifier sees",
  images: "Training images a class, drawn at random; at most 50 of the rest are tested",
  folds: "How often to draw, train and test anew; the mean and its spread are over these",
  decay: "Keeps the weights small. Left empty, it is chosen on training images that are held out",
  seed: "Another seed draws other training images; the same seed repeats a run",
  curve: "After the folds: accuracy with fewer training images a class",
};

/**
 * A labelled box to write in. What cannot be is said and put back.
 * @param options `read` throws in words
 */
export function field({
  label,
  testid,
  hint,
  placeholder,
  wide,
  numeric,
  read,
  take,
  complain,
  entered,
}: {
  label: string;
  testid: string;
  hint?: string;
  placeholder?: string;
  wide?: boolean;
  numeric?: boolean;
  read: (text: string) => any;
  take: (value: any) => void;
  complain: (words: string) => void;
  entered: (changed: boolean) => void;
}) {
  const box = {
    type: "text",
    class: "dwt-input",
    "data-testid": testid,
    title: hint,
    placeholder,
    spellcheck: "false",
    inputmode: numeric ? "decimal" : null,
  };
  const input = h("input", { ...box, autocomplete: "off" });
  const element = h("label", { class: wide ? "dwt-field dwt-wide" : "dwt-field", title: hint }, h("span", {}, label), input);
  let shown = "";
  /** @returns whether it changed; null where it cannot be */
  const commit = (): boolean | null => {
    const text = input.value.trim();
    if (text === shown) return false;
    try {
      const value = read(text);
      input.removeAttribute("aria-invalid");
      shown = text;
      take(value);
      return true;
    } catch (error) {
      input.setAttribute("aria-invalid", "true");
      complain(`${label}: ${error instanceof Error ? error.message : error}`);
      return null;
    }
  };
  input.addEventListener("change", commit);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const changed = commit();
    if (changed !== null) entered(changed);
  });
  const show = (text: string) => {
    if (text === shown && input.value.trim() === shown) return;
    const { activeElement } = input.getRootNode() as Document | ShadowRoot;
    if (activeElement === input && input.value.trim() !== shown) return; // being written
    shown = text;
    input.value = text;
    input.removeAttribute("aria-invalid");
  };
  return { element, input, show };
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text) || Number(text) < least || Number(text) > 1e6) throw new Error(`a whole number, ${least} or more`);
    return Number(text);
  };
}

function decayFrom(text: string): number | null {
  if (!text || text === "auto") return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error("a number above 0, or empty to have it chosen");
  return value;
}

/** The rows of the form that say how to train. */
export function createTrainingFields({
  set,
  complain,
  entered,
}: {
  set: (patch: Partial<TransferState>) => void;
  complain: (words: string) => void;
  entered: (changed: boolean) => void;
}) {
  const more = { complain, entered, numeric: true };
  const layer = createSelect({
    label: "Features of layer",
    testid: "layer",
    choices: [],
    pick: (name) => set({ layer: name || null }),
    hint: FIELD_HINTS.layer,
  });
  layer.element.className = "dwt-field dwt-wide";
  layer.select.classList.replace("dwx-select", "dwt-input");
  const images = field({
    label: "Images a class",
    testid: "images",
    hint: FIELD_HINTS.images,
    read: wholeFrom(1),
    take: (images_per_class) => set({ images_per_class }),
    ...more,
  });
  const folds = field({
    label: "Folds",
    testid: "folds",
    hint: FIELD_HINTS.folds,
    read: wholeFrom(1),
    take: (folds) => set({ folds }),
    ...more,
  });
  const decay = field({
    label: "Weight decay",
    testid: "decay",
    hint: FIELD_HINTS.decay,
    placeholder: "auto",
    read: decayFrom,
    take: (weight_decay) => set({ weight_decay }),
    ...more,
  });
  const seed = field({ label: "Seed", testid: "seed", hint: FIELD_HINTS.seed, read: wholeFrom(0), take: (seed) => set({ seed }), ...more });
  const views = createRadioGroup({
    label: "Views of a photograph",
    prefix: "views",
    testid: "views",
    choices: VIEW_CHOICES,
    pick: (name) => set({ views: name }),
  });
  const viewsRow = h("div", { class: "dwt-field dwt-wide" }, h("span", {}, "Views"), views.element);
  const curve = h("input", { type: "checkbox", "data-testid": "curve" });
  curve.addEventListener("change", () => set({ curve: curve.checked }));
  const curveRow = h("label", { class: "dwt-check dwt-wide", title: FIELD_HINTS.curve }, curve, "Learning curve afterwards");
  const element = h(
    "div",
    { class: "dwt-fields dwt-training" },
    layer.element,
    images.element,
    folds.element,
    decay.element,
    seed.element,
    viewsRow,
    curveRow,
  );
  let offered = "";

  const update = (status: Status, state: TransferState) => {
    const key = JSON.stringify(status.layers);
    if (key !== offered) {
      offered = key;
      const options = status.layers.map(([name, words]: [string, string]) => h("option", { value: name }, words));
      layer.select.replaceChildren(...options);
    }
    layer.select.value = state.layer ?? status.layers[0]?.[0] ?? "";
    images.show(String(state.images_per_class));
    folds.show(String(state.folds));
    decay.show(state.weight_decay === null ? "" : String(state.weight_decay));
    seed.show(String(state.seed));
    views.show(state.views);
    curve.checked = state.curve;
  };
  return { element, update };
}
