import { h, setText } from "../ui/dom.ts";
import { createClassProbabilities } from "./class_probabilities.ts";
import type { OcclusionState } from "./wire.ts";

const PANEL_CODE = "dw.TransferPanel(service)";
const NAMES_CODE = "ModelBundle.from_module(model, categories=[…])";
const NO_CLASSIFIER =
  "This model has no classifier, so it predicts no classes. The activity of its feature maps can still be shown, here and in the map.";
const NAMES_SHOWN = 3; // of several classes that match

/** Return the class that a text names, or what to say where it names none or several. */
export function findClass(classes: string[], text: string): { label: number } | { message: string } {
  const query = text.trim().toLowerCase();
  const exact = classes.findIndex((name) => name.toLowerCase() === query);
  if (exact >= 0) return { label: exact };
  const near = classes.map((name, label) => ({ name, label })).filter(({ name }) => name.toLowerCase().includes(query));
  const [first] = near;
  if (!first) return { message: `There is no class “${text.trim()}” among the ${classes.length}; choose one from the list.` };
  if (near.length === 1) return { label: first.label };
  const names = near.slice(0, NAMES_SHOWN).map(({ name }) => name);
  return { message: `${near.length} classes match “${text.trim()}”: ${names.join(", ")}${near.length > NAMES_SHOWN ? ", …" : ""}` };
}

/** Shown where the model has no classifier: what can be done. */
function createNotice({ useBundledHead, copy }: { useBundledHead: () => void; copy: (text: string) => void }) {
  const words = h("p", { "data-testid": "no-classifier" }, NO_CLASSIFIER);
  const properties = { type: "button", class: "dwo-plain dwo-main-act", "data-testid": "use-bundled", onclick: useBundledHead };
  const bundled = h("button", properties, "Use the bundled classifier");
  const copyButton = { type: "button", class: "dwo-plain", "data-testid": "copy-panel", "aria-label": "Copy the code" };
  const line = h("button", { ...copyButton, onclick: () => copy(PANEL_CODE) }, "Copy");
  const train = h("span", {});
  const own = h(
    "p",
    { class: "dwo-or", "data-testid": "train-own" },
    train,
    " your own in another cell: ",
    h("code", {}, PANEL_CODE),
    " ",
    line,
  );
  const names = h(
    "p",
    { class: "dwo-or", "data-testid": "name-classes" },
    "If the model's outputs are classes, name them: ",
    h("code", {}, NAMES_CODE),
  );
  const element = h("div", { class: "dwo-notice", hidden: true }, words, bundled, own, names);
  const update = (missing: boolean, offered: boolean) => {
    element.hidden = !missing;
    bundled.hidden = !offered;
    setText(train, offered ? "Or train" : "Train");
  };
  return { element, update };
}

/** A search box for a class: chosen from the list, or typed. */
function createClassSearch({ id, pick }: { id: string; pick: (label: number, name: string) => void }) {
  let classes: string[] = [];
  const list = h("datalist", { id: `${id}-classes` });
  const properties = { type: "search", class: "dwx-search", list: list.id, placeholder: "other class…" };
  const input = h("input", { ...properties, "aria-label": "Target class by name", "data-testid": "target" });
  const error = h("p", { class: "dwx-error", "data-testid": "target-error", role: "alert", hidden: true });
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
    if (classes.includes(input.value)) find(); // chosen from the list
  });
  const clear = () => {
    error.hidden = true;
    input.value = "";
  };
  const update = (names: string[]) => {
    if (names === classes) return;
    classes = names;
    list.replaceChildren(...names.map((name) => h("option", { value: name })));
  };
  return { input, list, error, clear, update };
}

export interface TargetClassesOptions {
  /** Unique in the page. */
  id: string;
  /** Choose the target; null: the predicted class. */
  pick: (label: number | null, name: string | null) => void;
  useBundledHead: () => void;
  copy: (text: string) => void;
}

/** The predicted classes, and the choice of the target. */
export function createTargetClasses({ id, pick, useBundledHead, copy }: TargetClassesOptions) {
  const probabilities = createClassProbabilities({ pick });
  const search = createClassSearch({ id, pick });
  const title = "The target is the class that is predicted for each image";
  const properties = { type: "button", class: "dwo-chip", "data-testid": "target-auto", title, onclick: () => pick(null, null) };
  const automatic = h("button", properties, "Predicted class");
  const caption = h("div", { class: "dwo-cap" }, h("h3", {}, "Predicted class"), h("span", {}, "light bar: without a patch"));
  const targets = h("div", { class: "dwo-row" }, h("span", { class: "dwo-dim" }, "Target"), automatic, search.input, search.list);
  const body = h("div", { class: "dwo-body" }, caption, probabilities.element, targets, search.error);
  const notice = createNotice({ useBundledHead, copy });
  const element = h("section", { class: "dwo-part", "aria-label": "Classes" }, body, notice.element);
  let chosen = "";

  /** @param offered whether the bundled classifier is */
  const update = (names: string[] | null, offered: boolean, { image, layer, unit, target }: OcclusionState) => {
    body.hidden = !names;
    notice.update(!names, offered);
    automatic.setAttribute("aria-pressed", String(target === null));
    if (names) search.update(names);
    const next = JSON.stringify([image, layer, unit, target]);
    if (next !== chosen) search.clear();
    chosen = next;
  };
  return { element, update, showProbabilities: probabilities.update, clearSearch: search.clear };
}
