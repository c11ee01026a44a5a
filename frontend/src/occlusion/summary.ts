/** Texts of the header and the footer. */
import { h } from "../ui/dom.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import { formatPercent } from "../ui/format.ts";
import type { HeaderContent } from "../ui/header.ts";
import type { Scene } from "./store.ts";
import type { HelloReply } from "./wire.ts";

const KEYS: KeyHint[] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Shift"], "by 8"],
  [["["], "smaller"],
  [["]"], "larger"],
  [["A"], "add"],
  [["Del"], "remove"],
];

export function createHints(): Node[] {
  return [h("span", { class: "dwx-hint" }, "Drag the patch; Shift-click adds a patch"), ...KEYS.map(keyHint)];
}

export function headerContent({ overview }: HelloReply, scene: Scene | null): HeaderContent {
  const { model, trained, weights, classifier, images, device } = overview;
  const origin = [weights, classifier ? `classes: ${classifier}` : "no classifier", images, device].join(" · ");
  const notes = [scene?.note ?? "", ...overview.notes].filter(Boolean);
  return { model, trained, title: scene ? describeScene(scene) : "", origin, notes };
}

/** Describe the image: its name and class, and the predicted class. */
function describeScene({ caption, label, classes }: Scene): string {
  const name = label ? `${caption} (${label})` : caption;
  const [best] = [...classes].sort((a, b) => b.before - a.before);
  return best ? `${name} · predicted ${best.name}, ${formatPercent(best.before)}` : name;
}
