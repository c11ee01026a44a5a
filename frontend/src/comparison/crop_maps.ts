/** One photograph twice: with the map and the receptive field of the unit of A, and of the unit of B. */
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import { createMapOverlay } from "../ui/map_overlay.ts";
import { LETTERS } from "./pair_tile.ts";
import type { PairStore } from "./store.ts";
import { type Both, type PairState, SIDES, type Side } from "./wire.ts";

const OPACITY = 0.55;
const HINT =
  "The maps of both units on this photograph. Each has its own colour scale, because activations of two models have different units.";

export interface CropContent {
  state: PairState;
  units: Both<number | null>;
  /** The crop of the selected or hovered activation; null if there is none. */
  crop: number | null;
  /** The rank of that activation, and whose it is. */
  rank: number;
  side: Side;
}

export class CropMaps {
  readonly element: HTMLElement;
  private readonly title = h("div", { class: "dwx-part-caption", "data-testid": "crop-caption" });
  private readonly toggle: HTMLButtonElement;
  private readonly overlays = { a: createMapOverlay("crop-a"), b: createMapOverlay("crop-b") };
  private readonly values: Both<HTMLElement>;
  private readonly columns: Both<HTMLElement>;
  private showsMaps = true;

  constructor(private readonly store: PairStore) {
    const button = { type: "button", class: "dwx-pin", "data-testid": "maps-toggle", "aria-pressed": "true" };
    this.toggle = h("button", { ...button, title: "Show the maps over the photograph, or the photograph alone (m)" }, "Maps");
    this.toggle.addEventListener("click", () => this.toggleMaps());
    const value = (side: Side) => h("div", { class: "dwx-part-caption", "data-testid": `crop-value-${side}` });
    this.values = { a: value("a"), b: value("b") };
    const column = (side: Side) => {
      const { frame, scale, reading } = this.overlays[side];
      return h("div", { class: "dwc-map", "data-side": side }, this.values[side], frame, scale, reading);
    };
    this.columns = { a: column("a"), b: column("b") };
    const head = h("div", { class: "dwc-crop-head" }, this.title, this.toggle);
    this.element = h("div", { class: "dwc-crop-maps", title: HINT }, head, h("div", { class: "dwc-maps" }, this.columns.a, this.columns.b));
    this.setOpacity();
  }

  close(): void {
    for (const side of SIDES) this.store.sides[side].client.release(this);
  }

  toggleMaps(): void {
    this.showsMaps = !this.showsMaps;
    this.setOpacity();
  }

  update({ state, units, crop, rank, side }: CropContent): void {
    this.element.hidden = crop === null;
    if (crop === null) return;
    const size = (window.devicePixelRatio || 1) > 1 ? 640 : 360;
    let caption = "";
    for (const each of SIDES) {
      const unit = units[each];
      this.columns[each].dataset.empty = String(unit === null);
      if (unit === null) {
        setText(this.values[each], `${LETTERS[each]}: no partner`);
        continue;
      }
      const found = this.store.onCrop(this, each, { layer: state[`layer_${each}`], unit, crop, size });
      this.overlays[each].update(found.value?.photograph, found.value?.map, found.value?.caption ?? "");
      caption ||= found.value?.caption ?? "";
      setText(this.values[each], found.error ?? `${LETTERS[each]} ${unit} here: ${found.value ? formatNumber(found.value.value) : "…"}`);
    }
    setText(this.title, `${LETTERS[side]}'s #${rank + 1}${caption ? ` · ${caption}` : ""}`);
    this.title.title = this.title.textContent ?? "";
  }

  private setOpacity(): void {
    this.toggle.setAttribute("aria-pressed", String(this.showsMaps));
    for (const side of SIDES) this.overlays[side].setOpacity(this.showsMaps ? OPACITY : 0);
  }
}
