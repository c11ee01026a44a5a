import type { Quantity } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { isValue } from "../ui/quantity.ts";
import { createClassScores } from "./class_scores.ts";
import type { Scene } from "./store.ts";
import type { OcclusionState } from "./wire.ts";

const PANEL_CODE = "dw.TransferPanel(service)";
const NAMES_CODE = "ModelBundle.from_module(model, categories=[…])";
const NO_CLASSIFIER =
  "This model has no classifier, so it predicts no classes. The activity of its feature maps can still be shown, here and in the map.";
const MAX_NAMES = 3; // of matching classes

/** Return the label of the class that matches a text, or a message if none or several match. */
export function findClass(classes: string[], text: string): { label: number } | { message: string } {
  const query = text.trim().toLowerCase();
  const exact = classes.findIndex((name) => name.toLowerCase() === query);
  if (exact >= 0) return { label: exact };
  const matches = classes.map((name, label) => ({ name, label })).filter(({ name }) => name.toLowerCase().includes(query));
  const [first] = matches;
  if (!first) return { message: `There is no class “${text.trim()}” among the ${classes.length} classes. Select a class from the list.` };
  if (matches.length === 1) return { label: first.label };
  const names = matches.slice(0, MAX_NAMES).map(({ name }) => name);
  return { message: `${matches.length} classes match “${text.trim()}”: ${names.join(", ")}${matches.length > MAX_NAMES ? ", …" : ""}` };
}

/** Create the notice for a model without a classifier, with ways to add one. */
function createNotice({ useBundledHead, copy }: { useBundledHead: () => void; copy: (text: string) => void }) {
  const text = h("p", { "data-testid": "no-classifier" }, NO_CLASSIFIER);
  const properties = { type: "button", class: "dwo-button dwo-primary", "data-testid": "use-bundled", onclick: useBundledHead };
  const bundled = h("button", properties, "Use the bundled classifier");
  const copyButton = { type: "button", class: "dwo-button", "data-testid": "copy-panel", "aria-label": "Copy the code" };
  const line = h("button", { ...copyButton, onclick: () => copy(PANEL_CODE) }, "Copy");
  const train = h("span", {});
  const own = h(
    "p",
    { class: "dwo-alternative", "data-testid": "train-own" },
    train,
    " your own in another cell: ",
    h("code", {}, PANEL_CODE),
    " ",
    line,
  );
  const names = h(
    "p",
    { class: "dwo-alternative", "data-testid": "name-classes" },
    "If the model's outputs are classes, name them: ",
    h("code", {}, NAMES_CODE),
  );
  const element = h("div", { class: "dwo-notice", hidden: true }, text, bundled, own, names);
  const update = (missing: boolean, isOffered: boolean) => {
    element.hidden = !missing;
    bundled.hidden = !isOffered;
    setText(train, isOffered ? "Or train" : "Train");
  };
  return { element, update };
}

interface ClassSearchOptions {
  id: string;
  role: "target" | "against";
  label: string;
  pick: (label: number, name: string) => void;
  remove: () => void;
}

/** Create the search field for a class. The selected class stands in it as a chip, which a click, Backspace or Escape removes. */
function createClassSearch({ id, role, label, pick, remove }: ClassSearchOptions) {
  let classes: string[] = [];
  const list = h("datalist", { id: `${id}-${role}-classes` });
  const properties = { type: "search", class: "dwo-target-input", list: list.id };
  const input = h("input", { ...properties, "aria-label": label, "data-testid": role });
  const removeChip = () => {
    remove();
    input.focus();
  };
  const name = h("span", { class: "dwo-target-name" });
  const chip = h(
    "button",
    { type: "button", class: "dwo-chip dwo-target-chip", "data-testid": `${role}-chip`, hidden: true, onclick: removeChip },
    name,
    h("span", { "aria-hidden": "true" }, "×"),
  );
  const element = h("span", { class: "dwo-target-field" }, chip, input);
  element.addEventListener("keydown", (event) => {
    const removes = ["Backspace", "Escape"].includes(event.key) || (event.target === chip && event.key === "Delete");
    if (!removes || chip.hidden || input.value) return;
    event.preventDefault();
    event.stopPropagation();
    removeChip();
  });
  const error = h("p", { class: "dwx-error", "data-testid": `${role}-error`, role: "alert", hidden: true });
  const find = () => {
    if (!input.value.trim()) return;
    const found = findClass(classes, input.value);
    error.hidden = "label" in found;
    if ("label" in found) pick(found.label, classes[found.label] ?? "");
    else setText(error, found.message);
  };
  input.addEventListener("change", find);
  input.addEventListener("input", () => {
    error.hidden = true;
    if (classes.includes(input.value)) find(); // selected from the list
  });
  const clear = () => {
    error.hidden = true;
    input.value = "";
  };
  const update = (names: string[], target: string | null, kind: "class" | "output") => {
    chip.hidden = target === null;
    setText(name, target ?? "");
    chip.title = chip.ariaLabel = `Remove ${target ?? ""}`;
    input.placeholder = target === null ? `${kind}…` : "";
    if (names === classes) return;
    classes = names;
    list.replaceChildren(...names.map((value) => h("option", { value })));
  };
  return { element, list, error, clear, update };
}

/** Create the controls to select the class that the target is compared with. */
function createAgainst({ id, compare }: Pick<TargetClassesOptions, "id" | "compare">) {
  const remove = () => compare(null, null);
  const search = createClassSearch({ id, role: "against", label: "Class to compare it with, by name", pick: compare, remove });
  const title = "Compare with the true class of each image; if that is unknown or the target, with the most probable other class";
  const auto = h("button", { type: "button", class: "dwo-chip", "data-testid": "against-auto", title, onclick: remove });
  const row = h("div", { class: "dwo-row" }, h("span", { class: "dwo-dim" }, "Against"), auto, search.element, search.list);
  const element = h("div", { class: "dwo-body" }, row, search.error);
  const update = (names: string[], against: string | null, scene: Scene | null) => {
    const isTruth = scene !== null && scene.truth !== null && scene.truth !== scene.request.target;
    setText(auto, isTruth ? "True class" : "Next class");
    auto.setAttribute("aria-pressed", String(against === null));
    search.update(names, against, "class");
  };
  return { element, update, clear: search.clear };
}

/** Describe what is compared: with the patches, or units off, and without. While units are off, both have the same patches. */
function describeCompared(quantity: Quantity | null, unitsOff: boolean, patches: number): string {
  if (unitsOff) return `${isValue(quantity) ? "left" : "light bar"}: all units on${patches ? ", same patch" : ""}`;
  if (!patches) return "";
  return isValue(quantity) ? "right: change by the patch" : "light bar: without a patch";
}

export interface TargetClassesOptions {
  /** Unique in the page. */
  id: string;
  /** Set the target; null: the predicted class of each image. */
  pick: (label: number | null, name: string | null) => void;
  /** Set the class that the target is compared with; null: the true class of each image, or the most probable other one. */
  compare: (label: number | null, name: string | null) => void;
  useBundledHead: () => void;
  copy: (text: string) => void;
}

/** Create the list of predicted classes or values, and the controls to select the target. */
export function createTargetClasses({ id, pick, compare, useBundledHead, copy }: TargetClassesOptions) {
  const scores = createClassScores({ pick });
  const search = createClassSearch({ id, role: "target", label: "Target class by name", pick, remove: () => pick(null, null) });
  const against = createAgainst({ id, compare });
  const title = "Use the predicted class of each image as the target";
  const properties = { type: "button", class: "dwo-chip", "data-testid": "target-auto", title, onclick: () => pick(null, null) };
  const autoButton = h("button", properties, "Predicted class");
  const [heading, hint] = [h("h3", {}), h("span", {})];
  const caption = h("div", { class: "dwo-part-caption" }, heading, hint);
  const targets = h("div", { class: "dwo-row" }, h("span", { class: "dwo-dim" }, "Target"), autoButton, search.element, search.list);
  const body = h("div", { class: "dwo-body" }, caption, scores.element, targets, search.error, against.element);
  const notice = createNotice({ useBundledHead, copy });
  const element = h("section", { class: "dwo-part", "aria-label": "Classes" }, body, notice.element);
  let selectionKey = "";

  /**
   * @param isOffered whether the bundled classifier is available
   * @param unitsOff whether units are switched off or scaled
   */
  const update = (
    names: string[] | null,
    quantity: Quantity | null,
    isOffered: boolean,
    { image, layer, unit, target, against: compared, tab, patches }: OcclusionState,
    { scene, unitsOff }: { scene: Scene | null; unitsOff: boolean },
  ) => {
    body.hidden = !names;
    setText(heading, isValue(quantity) ? "Predicted values" : "Class probabilities");
    setText(hint, describeCompared(quantity, unitsOff, patches.length));
    targets.hidden = isValue(quantity) && names?.length === 1;
    autoButton.hidden = isValue(quantity);
    notice.update(!names, isOffered);
    autoButton.setAttribute("aria-pressed", String(target === null));
    if (names) search.update(names, target, isValue(quantity) ? "output" : "class");
    against.element.hidden = tab !== "why";
    if (names) against.update(names, compared, scene);
    const next = JSON.stringify([image, layer, unit, target, compared]);
    if (next !== selectionKey) for (const field of [search, against]) field.clear();
    selectionKey = next;
  };
  return { element, update, showScores: scores.update, clearSearch: search.clear };
}
