/** The pinned units of both models below the list. */

import { fitTile } from "../layers/grid_layout.ts";
import { createPinCard, PinCards } from "../layers/pin_cards.ts";
import { PARTS } from "../layers/store.ts";
import { isInactive } from "../layers/unit_table.ts";
import type { MosaicRequest } from "../layers/wire.ts";
import { h } from "../ui/dom.ts";
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
  private readonly cards = new PinCards<SidePin>(
    (pin) => JSON.stringify(pin),
    (pin) => this.createCard(pin),
  );
  private names: Both<string> = { a: "", b: "" };

  constructor(private readonly options: PinsOptions) {}

  get element(): HTMLElement {
    return this.cards.element;
  }

  close(): void {
    for (const side of SIDES) this.options.store.sides[side].client.release(this);
  }

  /** @param names the names of both models */
  update({ pinned, rule, contrast }: PairState, names: Both<string>): void {
    const { sides } = this.options.store;
    this.names = names;
    this.cards.show(pinned);
    const { tile, side: length } = fitTile(MOSAIC, window.devicePixelRatio || 1, 24, 40);
    const requests: Both<MosaicRequest[]> = { a: [], b: [] };
    for (const pin of pinned.filter((one) => this.isKnown(one))) {
      const table = sides[pin.side].table(pin.layer).value;
      if (!table) continue;
      const request = { layer: pin.layer, unit: pin.unit, rule, contrast, tile };
      if (!isInactive(table, pin.unit)) requests[pin.side].push(request);
      this.cards.card(pin)?.draw(sides[pin.side], request, { table, parts: PARTS, layout: { side: length, seam: 3 } });
    }
    for (const side of SIDES) sides[side].requestMosaics(this, "pinned", requests[side], PARTS);
  }

  /** Return whether a pin is of the model that its side shows. */
  private isKnown({ side, model }: SidePin): boolean {
    return this.options.store.sides[side].hello?.overview.model === model;
  }

  private createCard(pin: SidePin) {
    const { open, unpin } = this.options;
    const known = this.isKnown(pin);
    const card = createPinCard({
      name: `${LETTERS[pin.side]} · ${pin.layer} · unit ${pin.unit}`,
      testid: `pin-${pin.side}-${pin.layer}-${pin.unit}`,
      known,
      unknown: "Pinned beside another model.",
      lines: [h("span", { class: "dwc-pin-model" }, known ? this.names[pin.side] : pin.model)],
      open: () => open(pin),
      unpin: () => unpin(pin),
    });
    card.element.dataset.side = pin.side;
    return card;
  }
}
