/** The most probable classes of both models, with the patches on top of without. A row makes its class the target. */
import type { Quantity } from "../kernel/wire.ts";
import { type ClassPair, createClassScores } from "../occlusion/class_scores.ts";
import type { ClassScore } from "../occlusion/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { LETTERS } from "./pair_tile.ts";
import { type Both, SIDES, type Side } from "./wire.ts";

export function createClassLists({ pick }: { pick: (side: Side, name: string | null) => void }) {
  const create = (side: Side) => {
    const title = h("h3", { "data-testid": `model-${side}` });
    const automatic = h(
      "button",
      { type: "button", class: "dwo-button", hidden: true, "data-testid": `automatic-${side}`, onclick: () => pick(side, null) },
      side === "a" ? "Most probable class" : "Class of A",
    );
    const note = h("p", { class: "dwo-dim", hidden: true }, "This model predicts no classes.");
    const scores = createClassScores({ pick: (_, name) => pick(side, name) });
    const head = h("div", { class: "dwo-part-caption dwc-class-head" }, title, automatic);
    const element = h("section", { class: "dwo-part", "data-side": side, "data-testid": `classes-${side}` }, head, note, scores.element);
    return { title, automatic, note, scores, element };
  };
  const lists = { a: create("a"), b: create("b") };

  const update = (names: Both<string>, targets: Both<string | null>, classes: Both<string[] | null>) => {
    for (const side of SIDES) {
      const { title, automatic, note, scores } = lists[side];
      setText(title, `${LETTERS[side]} · ${names[side]}`);
      automatic.hidden = targets[side] === null;
      note.hidden = classes[side] !== null;
      scores.element.hidden = classes[side] === null;
    }
  };
  const show = (side: Side, classes: ClassScore[], pair: ClassPair, quantity: Quantity | null) =>
    lists[side].scores.update(classes, pair, quantity);
  const hint = h("p", { class: "dwo-dim dwc-bars-hint" }, "Light bars: without the patch. A click makes a class the target of the maps.");
  const element = h(
    "section",
    { class: "dwo-pane dwo-middle", "aria-label": "Predictions of both models" },
    lists.a.element,
    lists.b.element,
    hint,
  );
  return { element, update, show };
}
