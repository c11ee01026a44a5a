/** The footer: keyboard hints, and how the tiles are scaled. */
import { h, setText } from "../ui/dom.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import type { Contrast } from "./wire.ts";

const KEYS: KeyHint[] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Enter"], "open, enlarge"],
  [["/"], "search"],
  [["p"], "pin"],
  [["b"], "bookmark"],
  [["x"], "switch off"],
  [["w"], "why"],
  [["t"], "feeders"],
  [["Esc"], "leave"],
];
const NEGATIVE_VALUES =
  "Projections contain negative values, because filters have negative weights. " +
  "Lower values of the pixels that are darker than mid-gray would increase the activation of the unit.";

export function createLayerFooter() {
  const layerKeys = h("span", { class: "dwx-hint" });
  const contrastNote = h("span", { class: "dwx-contrast-note", title: NEGATIVE_VALUES, tabindex: 0 });

  /** @param layers their number, of which the first nine have a key */
  const update = (layers: number, contrast: Contrast) => {
    const count = Math.min(9, layers);
    layerKeys.hidden = count < 2;
    if (layerKeys.childElementCount === 0 || layerKeys.dataset.count !== String(count)) {
      layerKeys.dataset.count = String(count);
      layerKeys.replaceChildren(h("kbd", {}, "1"), "–", h("kbd", {}, String(count)), " layer");
    }
    const scaled = contrast === "tile" ? "Each tile is scaled" : "The tiles of a unit are scaled together";
    setText(contrastNote, `Mid-gray is zero. ${scaled} by 2.5 standard deviations.`);
  };
  const parts: [Node[], Node[]] = [[...KEYS.map(keyHint), layerKeys], [contrastNote]];
  return { parts, update };
}
