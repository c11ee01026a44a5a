/** The pinned units of both models below the list. They stay while other layers are shown. */

import { fitTile } from "../layers/grid_layout.ts";
import { PARTS } from "../layers/store.ts";
import { shortStatistics } from "../layers/unit_facts.ts";
import { isInactive, unitStatistics } from "../layers/unit_table.ts";
import { drawMosaics } from "../layers/unit_tile.ts";
import type { MosaicRequest } from "../layers/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { LETTERS } from "./pair_tile.ts";
import type { PairStore } from "./store.ts";
import { type Both, type PairState, SIDES, type SidePin } from "./wire.ts";

const MAX_PINS = 8;
const MOSAIC = 96; // CSS pixels

interface PinsOptions {
  store: PairStore;
  open: (pin: SidePin) => void;
  unpin: (pin: SidePin) => void;
}

export function samePin(first: SidePin, second: SidePin): boolean {
  return (["side", "model", "layer", "unit"] as const).every((key) => first[key] === second[key]);
}

/** Return the pins with one added or removed; null if there are too many. */
export function togglePin(pinned: SidePin[], pin: SidePin): SidePin[] | null {
  const others = pinned.filter((other) => !samePin(other, pin));
  if (others.length < pinned.length) return others;
  return pinned.length < MAX_PINS ? [...pinned, pin] : null;
}

export class SidePins {
  readonly element: HTMLElement;
  private readonly count = h("span", {});
  private readonly list = h("div", { class: "dwx-pins", role: "list" });
  private cards = new Map<string, ReturnType<typeof createCard>>();

  constructor(private readonly options: PinsOptions) {
    const title = h("div", { class: "dwx-pins-title" }, this.count, h("span", {}, "a click selects the unit"));
    const properties = { class: "dwx-pinned", "aria-label": "Pinned units", "data-testid": "pinned", hidden: true };
    this.element = h("section", properties, title, this.list);
  }

  close(): void {
    for (const side of SIDES) this.options.store.sides[side].client.release(this);
  }

  /** @param names the names of both models */
  update({ pinned, rule, contrast }: PairState, names: Both<string>): void {
    const { store } = this.options;
    this.element.hidden = pinned.length === 0;
    setText(this.count, `Pinned: ${formatCount(pinned.length, "unit")}`);
    const keys = pinned.map((pin) => JSON.stringify(pin));
    if (keys.join() !== [...this.cards.keys()].join()) {
      const card = (pin: SidePin, key: string) => this.cards.get(key) ?? createCard(pin, names[pin.side], this.isKnown(pin), this.options);
      this.cards = new Map(pinned.map((pin, index) => [keys[index] ?? "", card(pin, keys[index] ?? "")]));
      this.list.replaceChildren(...[...this.cards.values()].map(({ element }) => element));
    }
    const { tile, side: length } = fitTile(MOSAIC, window.devicePixelRatio || 1, 24, 40);
    for (const side of SIDES) {
      const requests = pinned.flatMap((pin): MosaicRequest[] => {
        if (pin.side !== side || !this.isKnown(pin)) return [];
        const table = store.sides[side].table(pin.layer).value;
        const request = { layer: pin.layer, unit: pin.unit, rule, contrast, tile };
        if (table) this.cards.get(JSON.stringify(pin))?.update(request, table, length);
        return table && !isInactive(table, pin.unit) ? [request] : [];
      });
      store.sides[side].requestMosaics(this, "pinned", requests, PARTS);
    }
  }

  /** Return whether a pin is of the model that its side shows. */
  private isKnown({ side, model }: SidePin): boolean {
    return this.options.store.sides[side].hello?.overview.model === model;
  }
}

/** @param known whether the model of the pin is shown; of others nothing but the name is known */
function createCard(pin: SidePin, shownName: string, known: boolean, { store, open, unpin }: PinsOptions) {
  const name = `${LETTERS[pin.side]} · ${pin.layer} · unit ${pin.unit}`;
  const canvas = h("canvas", { hidden: !known });
  const statistics = h("span", { class: "dwx-pin-statistics" }, known ? "" : "Pinned beside another model.");
  const parts = [h("b", {}, name), h("span", { class: "dwc-pin-model" }, known ? shownName : pin.model), statistics, canvas];
  const testid = `pin-${pin.side}-${pin.layer}-${pin.unit}`;
  const properties = { type: "button", class: "dwx-pin-open", disabled: !known, "data-testid": testid, onclick: () => open(pin) };
  const label = `Unpin ${name}`;
  const remove = { type: "button", class: "dwx-unpin", title: label, "aria-label": label, "data-testid": "unpin" };
  const button = h("button", { ...remove, onclick: () => unpin(pin) }, "×");
  const element = h("div", { class: "dwx-pin-card", role: "listitem", "data-side": pin.side }, h("button", properties, ...parts), button);
  let drawn = "";

  const update = (request: MosaicRequest, table: Parameters<typeof isInactive>[0], side: number) => {
    const sideStore = store.sides[pin.side];
    setText(statistics, shortStatistics(unitStatistics(table, request.unit)));
    const rejected = sideStore.rejectionReason(request) !== undefined;
    const bitmaps = PARTS.map((part) => (part === "projections" && rejected ? null : sideStore.mosaic(request, part)));
    const key = [...bitmaps.map((bitmap) => bitmap !== undefined), rejected, ...Object.values(request)].join();
    if (key === drawn) return;
    drawn = key;
    canvas.hidden = isInactive(table, request.unit);
    drawMosaics(canvas, bitmaps, { side, seam: 3 } as Parameters<typeof drawMosaics>[2], window.devicePixelRatio || 1);
  };
  return { element, update };
}
