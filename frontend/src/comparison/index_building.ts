/** The progress of the activation indexes of both models, while they are built. */
import { createIndexProgress } from "../layers/index_progress.ts";
import { setText } from "../ui/dom.ts";
import type { PairSelection } from "./pair_selection.ts";
import { LETTERS } from "./pair_tile.ts";
import type { PairStore } from "./store.ts";
import { type Both, type PairState, SIDES, type Side } from "./wire.ts";

export function createIndexBuilding(store: PairStore, selection: PairSelection) {
  const create = (side: Side) => createIndexProgress({ steer: (kind) => void store.sides[side].steerIndex(kind) });
  const bars = { a: create("a"), b: create("b") };

  const update = (state: PairState, names: Both<string>) => {
    for (const side of SIDES) {
      const { element, update: show } = bars[side];
      const overview = selection.overviews?.[side];
      element.hidden = !overview || selection.isIndexed(side);
      if (element.hidden || !overview) continue;
      const { progress, progressLayers, cancelledLayers } = store.sides[side];
      show({ progress, progressLayers, cancelledLayers, layer: state[`layer_${side}`], crops: null, overview });
      const title = element.querySelector("p");
      if (title) setText(title, `${LETTERS[side]} ${names[side]}: ${title.textContent}`);
    }
  };
  return { elements: SIDES.map((side) => bars[side].element), update };
}
