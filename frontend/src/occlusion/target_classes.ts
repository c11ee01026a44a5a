import { h, setText } from "../ui/dom.ts";
import { createAnswers } from "./class_probabilities.ts";
import type { OcclusionState } from "./wire.ts";

const PANEL_LINE = "dw.TransferPanel(service)";
const NAMES_LINE = "ModelBundle.from_module(model, categories=[…])";

/** The class that somebody typed. */
export function classNamed(classes: string[], text: string): { label: number } | { words: string } {
  const wanted = text.trim().toLowerCase();
  const exact = classes.findIndex((name) => name.toLowerCase() === wanted);
  if (exact >= 0) return { label: exact };
  const near = classes.map((name, label) => ({ name, label })).filter(({ name }) => name.toLowerCase().includes(wanted));
  if (near.length === 1) return { label: near[0].label };
  if (!near.length) return { words: `There is no class “${text.trim()}” among the ${classes.length}; choose one from the list.` };
  return {
    words: `${near.length} classes have “${text.trim()}”: ${near
      .slice(0, 3)
      .map(({ name }) => name)
      .join(", ")}${near.length > 3 ? ", …" : ""}`,
  };
}

/** Where no class can be named: why, and what can be done. */
function createNotice({ head, copy }: { head: () => void; copy: (text: string) => void }) {
  const words = h("p", { "data-testid": "no-classifier" });
  const shipped = h(
    "button",
    { type: "button", class: "dwo-plain dwo-main-act", "data-testid": "use-shipped", onclick: head },
    "Use the shipped classifier",
  );
  const code = h("code", {}, PANEL_LINE);
  const line = h("button", { type: "button", class: "dwo-plain", "data-testid": "copy-panel", onclick: () => copy(PANEL_LINE) }, "Copy");
  const train = h("span", {});
  const own = h("p", { class: "dwo-or", "data-testid": "train-own" }, train, " one of your own in another cell: ", code, " ", line);
  const named = h(
    "p",
    { class: "dwo-or", "data-testid": "name-classes" },
    "If its outputs are classes, name them: ",
    h("code", {}, NAMES_LINE),
  );
  const element = h("div", { class: "dwo-notice", hidden: true }, words, shipped, own, named);
  const update = (missing: boolean, offered: boolean) => {
    element.hidden = !missing;
    shipped.hidden = !offered;
    setText(train, offered ? "Or train" : "Train");
    setText(
      words,
      "This network has no classifier, so it can name no classes. The activity of its feature maps can be looked at all the same, here and in the map.",
    );
  };
  return { element, update };
}

/** A class by its name: chosen from the list, or typed. */
function createSearch({ id, pick }: { id: string; pick: (label: number, name: string) => void }) {
  let classes: string[] = [];
  const list = h("datalist", { id: `${id}-classes` });
  const input = h("input", {
    type: "search",
    class: "dwx-search dwo-search",
    list: list.id,
    placeholder: "other class…",
    "aria-label": "Target class by name",
    "data-testid": "target",
  });
  const trouble = h("p", { class: "dwx-error", "data-testid": "target-error", hidden: true });
  const find = () => {
    if (!input.value.trim()) return;
    const found = classNamed(classes, input.value);
    trouble.hidden = "label" in found;
    if ("label" in found) pick(found.label, classes[found.label]);
    else setText(trouble, found.words);
  };
  input.addEventListener("change", find);
  input.addEventListener("input", () => {
    trouble.hidden = true;
    if (classes.includes(input.value)) find(); // chosen from the list
  });
  /** What was typed is over. */
  const forget = () => {
    trouble.hidden = true;
    input.value = "";
  };
  const update = (names: string[]) => {
    if (names === classes) return;
    classes = names;
    list.replaceChildren(...names.map((name) => h("option", { value: name })));
  };
  return { input, list, trouble, forget, update };
}

/** What the network says, and which class is looked at. */
export function createClasses({
  id,
  pick,
  head,
  copy,
}: {
  id: string;
  pick: (label: number | null, name: string | null) => void;
  head: () => void;
  copy: (text: string) => void;
}) {
  const answers = createAnswers({ pick });
  const search = createSearch({ id, pick });
  const auto = h(
    "button",
    {
      type: "button",
      class: "dwo-chip",
      "data-testid": "target-auto",
      title: "The target is the class that the network says of each image",
      onclick: () => pick(null, null),
    },
    "what it says",
  );
  const caption = h("div", { class: "dwo-cap" }, h("b", {}, "What the network says"), h("span", {}, "light bar: no patch"));
  const targets = h("div", { class: "dwo-row" }, h("span", { class: "dwo-dim" }, "Target"), auto, search.input, search.list);
  const body = h("div", { class: "dwo-body" }, caption, answers.element, targets, search.trouble);
  const notice = createNotice({ head, copy });
  const element = h("section", { class: "dwo-part", "aria-label": "Classes" }, body, notice.element);
  let looked = ""; // at what

  const update = ({ names, offered, state }: { names: string[] | null; offered: boolean; state: OcclusionState }) => {
    body.hidden = !names;
    notice.update(!names, offered);
    auto.setAttribute("aria-pressed", String(state.target === null));
    if (names) search.update(names);
    const looks = JSON.stringify([state.image, state.layer, state.unit, state.target]);
    if (looks !== looked) search.forget();
    looked = looks;
  };
  return { element, update, answers, forget: search.forget };
}
