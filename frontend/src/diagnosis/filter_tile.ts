/** A filter of the first layer as a picture. */
import { context2d, h } from "../ui/dom.ts";
import type { Filters } from "./store.ts";

/** Create a canvas for a filter; `draw` draws one of the sprite. */
export function createFilterTile() {
  const canvas = h("canvas", { class: "dwn-tile", role: "presentation" });
  let drawn: [Filters | undefined, number] = [undefined, -1];
  const draw = (filters: Filters | undefined, unit: number) => {
    if (drawn[0] === filters && drawn[1] === unit) return;
    drawn = [filters, unit];
    const side = filters?.tile ?? 1;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = context2d(canvas);
    context.clearRect(0, 0, side, side);
    if (filters && unit < filters.count) context.drawImage(filters.sprite, 0, unit * side, side, side, 0, 0, side, side);
  };
  return { canvas, draw };
}
