/** Texts of the header and the footer. */

import type { Quantity } from "../kernel/wire.ts";
import { h } from "../ui/dom.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, shortWarnings, skippedFiles } from "../ui/provenance.ts";
import { formatScore, isValue } from "../ui/quantity.ts";
import type { Scene } from "./store.ts";
import type { ClassScore, HelloReply } from "./wire.ts";

const KEYS: KeyHint[] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Shift"], "by 8"],
  [["["], "smaller"],
  [["]"], "larger"],
  [["A"], "add"],
  [["Del"], "remove"],
];

/** Of the listed units of the tab "why". */
const WHY_KEYS: KeyHint[] = [
  [["x"], "switch a unit off"],
  [["Enter"], "open it in the LayerExplorer"],
];

export function createHints(): Node[] {
  const why = WHY_KEYS.map(keyHint);
  for (const hint of why) hint.dataset.tab = "why"; // shown in this tab only
  return [h("span", { class: "dwx-hint" }, "Drag the patch; Shift-click adds a patch"), ...KEYS.map(keyHint), ...why];
}

export function headerContent({ overview }: HelloReply, scene: Scene | null): HeaderContent {
  const notes = [scene?.note ?? "", ...overview.notes].filter(Boolean);
  return {
    model: overview.model,
    title: scene ? describeScene(scene, overview.quantity) : "",
    warnings: shortWarnings(overview),
    origin: provenance(overview),
    notes: [...notes, ...skippedFiles(overview)],
  };
}

/** Describe the image: its name and class, and the predicted class, or the predicted value of the target. */
function describeScene({ caption, label, classes, request }: Scene, quantity: Quantity | null): string {
  const name = label ? `${caption} (${label})` : caption;
  if (isValue(quantity)) {
    const target = classes.find((entry) => entry.label === request.target);
    return target ? `${name} · ${target.name} ${formatScore(quantity, target.before)}` : name;
  }
  const best = strongest(classes, ({ before }) => before);
  if (!best) return name;
  const predicted = `${name} · predicted ${best.name}, ${formatScore(quantity, best.before)}`;
  const unchanged = strongest(classes, ({ unchanged }) => unchanged ?? 0);
  if (!unchanged || (unchanged.unchanged ?? null) === null) return predicted;
  return `${predicted} (with all units on: ${unchanged.name}, ${formatScore(quantity, unchanged.unchanged)})`;
}

function strongest(classes: ClassScore[], score: (entry: ClassScore) => number): ClassScore | undefined {
  return [...classes].sort((a, b) => score(b) - score(a))[0];
}
