/** The form fields of the training settings. */
import { UserError } from "../kernel/errors.ts";
import { createSelect, h } from "../ui/dom.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { createTextField, type FieldListeners } from "../ui/text_field.ts";
import type { Crops, Status, TransferState } from "./wire.ts";

const CROPS: Choice<Crops>[] = [
  ["one", "1", "The centre crop of each photograph"],
  ["flips", "1 + mirrored", "The features of the centre crop and of its mirror image, side by side; takes twice the time"],
  ["ten", "10", "The mean features of centre and corner crops and those of their mirror images, side by side; takes ten times the time"],
];
const HINTS = {
  layer: "The layer whose features the classifier is trained on",
  images: "Training images per class, selected at random; at most 50 other images per class are tested",
  folds: "Number of random splits into training and test images; the accuracy is the mean and standard deviation over them",
  decay: "Weight decay of the classifier. If empty, it is chosen on held-out training images",
  seed: "Seed of the random splits",
  curve: "After the folds, measure the accuracy with fewer training images per class",
};
const MAX_NUMBER = 1e6;

/** Return a parser of integers. */
function integerParser(min: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || number > MAX_NUMBER) throw new UserError(`enter a whole number of at least ${min}`);
    return number;
  };
}

/** Parse a weight decay; null: chosen on held-out images. */
function parseDecay(text: string): number | null {
  if (!text || text === "auto") return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new UserError("enter a number above 0, or leave the field empty");
  return value;
}

export function createTrainingFields({ set, ...listeners }: FieldListeners & { set: (patch: Partial<TransferState>) => void }) {
  const numeric = { ...listeners, numeric: true };
  const pickLayer = (name: string) => set({ layer: name || null });
  const layer = createSelect<string>({ label: "Features from layer", testid: "layer", choices: [], pick: pickLayer, hint: HINTS.layer });
  layer.element.className = "dwx-field dwx-wide";
  layer.select.classList.replace("dwx-select", "dwx-input");
  const images = createTextField({
    ...numeric,
    label: "Images per class",
    testid: "images",
    hint: HINTS.images,
    parse: integerParser(1),
    accept: (value) => set({ images_per_class: value }),
  });
  const folds = createTextField({
    ...numeric,
    label: "Folds",
    testid: "folds",
    hint: HINTS.folds,
    parse: integerParser(1),
    accept: (value) => set({ folds: value }),
  });
  const decay = createTextField({
    ...numeric,
    label: "Weight decay",
    testid: "decay",
    hint: HINTS.decay,
    placeholder: "auto",
    parse: parseDecay,
    accept: (value) => set({ weight_decay: value }),
  });
  const seed = createTextField({
    ...numeric,
    label: "Seed",
    testid: "seed",
    hint: HINTS.seed,
    parse: integerParser(0),
    accept: (value) => set({ seed: value }),
  });
  const crops = createRadioGroup({
    label: "Crops per photograph",
    prefix: "views",
    testid: "views",
    choices: CROPS,
    pick: (views) => set({ views }),
  });
  const cropsRow = h("div", { class: "dwx-field dwx-wide" }, h("span", { "aria-hidden": "true" }, "Crops per photograph"), crops.element);
  const curve = h("input", { type: "checkbox", "data-testid": "curve" });
  curve.addEventListener("change", () => set({ curve: curve.checked }));
  const curveRow = h("label", { class: "dwt-check dwx-wide", title: HINTS.curve }, curve, "Also measure a learning curve");
  const rows = [layer.element, images.element, folds.element, decay.element, seed.element, cropsRow, curveRow];
  const element = h("div", { class: "dwx-fields dwt-training" }, ...rows);
  let layersKey = "";

  const update = (status: Status, state: TransferState) => {
    const key = JSON.stringify(status.layers);
    if (key !== layersKey) layer.select.replaceChildren(...status.layers.map(([name, label]) => h("option", { value: name }, label)));
    layersKey = key;
    layer.select.value = state.layer ?? status.layers[0]?.[0] ?? "";
    images.show(String(state.images_per_class));
    folds.show(String(state.folds));
    decay.show(state.weight_decay === null ? "" : String(state.weight_decay));
    seed.show(String(state.seed));
    crops.show(state.views);
    curve.checked = state.curve;
  };
  return { element, update };
}
