import { formatCount } from "../ui/format.ts";
import type { GridLayout } from "./grid_layout.ts";
import { createPinCard, PinCards } from "./pin_cards.ts";
import { type LayerStore, partsOf } from "./store.ts";
import { describeUnit } from "./unit_facts.ts";
import { isInactive, unitStatistics } from "./unit_table.ts";
import type { LayerState, MosaicRequest, Overview, Pin } from "./wire.ts";

interface PinsContent {
  state: LayerState;
  overview: Overview;
  layout: GridLayout;
}

interface PinsOptions {
  store: LayerStore;
  open: (pin: Pin) => void;
  unpin: (pin: Pin) => void;
}

/** The pinned units below the grid, for comparison. A click selects one. */
export class PinnedUnits {
  private readonly cards = new PinCards<Pin>(keyOf, (pin) => this.createCard(pin));
  private model = "";

  constructor(private readonly options: PinsOptions) {}

  get element(): HTMLElement {
    return this.cards.element;
  }

  close(): void {
    this.options.store.client.release(this);
  }

  update({ state, overview, layout }: PinsContent): void {
    const { pinned, view, rule, contrast } = state;
    const { store } = this.options;
    this.model = overview.model;
    this.cards.show(pinned);
    const tables = new Map(pinned.filter(({ model }) => model === overview.model).map(({ layer }) => [layer, store.table(layer).value]));
    const images = formatCount(overview.crops, overview.crops > overview.photographs ? "crop" : "photograph");
    const requests: MosaicRequest[] = [];
    for (const pin of pinned) {
      const { layer, unit } = pin;
      const [table, card] = [tables.get(layer), this.cards.card(pin)];
      if (!table || !card || pin.model !== overview.model) continue;
      const request = { layer, unit, rule, contrast, tile: layout.tile };
      if (!isInactive(table, unit)) requests.push(request);
      card.draw(store, request, { table, parts: partsOf(view), layout });
      card.select.title = `${layer} · unit ${unit}: ${describeUnit(unitStatistics(table, unit), images)}`;
    }
    store.requestMosaics(this, "pinned", requests, partsOf(view));
  }

  private createCard(pin: Pin) {
    const { open, unpin } = this.options;
    const known = pin.model === this.model;
    return createPinCard({
      name: known ? `${pin.layer} · unit ${pin.unit}` : `${pin.model} · ${pin.layer} · unit ${pin.unit}`,
      testid: `pin-${pin.layer}-${pin.unit}`,
      known,
      unknown: `Pinned in ${pin.model}: open it in an explorer of that model.`,
      open: () => open(pin),
      unpin: () => unpin(pin),
    });
  }
}

function keyOf({ model, layer, unit }: Pin): string {
  return JSON.stringify([model, layer, unit]);
}
