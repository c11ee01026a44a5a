import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import type { GridLayout } from "./grid_layout.ts";
import { type LayerStore, partsOf } from "./store.ts";
import { describeUnit, shortStatistics } from "./unit_facts.ts";
import { isInactive, type Table, unitStatistics } from "./unit_table.ts";
import { drawMosaics } from "./unit_tile.ts";
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

/** The pinned units below the grid, for comparison: mosaics and statistics. A click selects one. */
export class PinnedUnits {
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
    this.options.store.client.release(this);
  }

  update(content: PinsContent): void {
    const { state, overview } = content;
    const { pinned, view } = state;
    const { store } = this.options;
    this.element.hidden = pinned.length === 0;
    setText(this.count, `Pinned: ${formatCount(pinned.length, "unit")}`);
    this.showCards(pinned, overview.model);
    const tables = new Map(pinned.filter(({ model }) => model === overview.model).map(({ layer }) => [layer, store.table(layer).value]));
    const requests: MosaicRequest[] = [];
    for (const pin of pinned) {
      const table = tables.get(pin.layer);
      if (!table) continue;
      const request = { ...pin, rule: state.rule, contrast: state.contrast, tile: content.layout.tile };
      const { layer, unit, rule, contrast, tile } = request;
      if (!isInactive(table, unit)) requests.push({ layer, unit, rule, contrast, tile });
      this.cards.get(keyOf(pin))?.update({ layer, unit, rule, contrast, tile }, table, content);
    }
    store.requestMosaics(this, "pinned", requests, partsOf(view));
  }

  /** Create the cards of new pins, and keep the others, which may have the focus. */
  private showCards(pinned: Pin[], model: string): void {
    const keys = pinned.map(keyOf);
    if (keys.join() === [...this.cards.keys()].join()) return;
    this.cards = new Map(
      pinned.map((pin) => [keyOf(pin), this.cards.get(keyOf(pin)) ?? createCard(pin, pin.model === model, this.options)]),
    );
    this.list.replaceChildren(...[...this.cards.values()].map(({ element }) => element));
  }
}

function keyOf({ model, layer, unit }: Pin): string {
  return JSON.stringify([model, layer, unit]);
}

/** @param known whether it is a unit of the shown model; of other models nothing but the name is known */
function createCard(pin: Pin, known: boolean, { store, open, unpin }: PinsOptions) {
  const name = known ? `${pin.layer} · unit ${pin.unit}` : `${pin.model} · ${pin.layer} · unit ${pin.unit}`;
  const canvas = h("canvas", { hidden: !known });
  const statistics = h("span", { class: "dwx-pin-statistics" });
  const testid = `pin-${pin.layer}-${pin.unit}`;
  const parts = [h("b", {}, name), statistics, canvas];
  const properties = { type: "button", class: "dwx-pin-open", disabled: !known, "data-testid": testid, onclick: () => open(pin) };
  const select = h("button", properties, ...parts);
  const label = `Unpin ${name}`;
  const remove = {
    type: "button",
    class: "dwx-unpin",
    title: label,
    "aria-label": label,
    "data-testid": "unpin",
    onclick: () => unpin(pin),
  };
  const element = h("div", { class: "dwx-pin-card", role: "listitem" }, select, h("button", remove, "×"));
  let drawn = "";
  if (!known) {
    setText(statistics, `Pinned in ${pin.model}: open it in an explorer of that model.`);
    select.title = statistics.textContent ?? "";
  }

  const update = (request: MosaicRequest, table: Table, { state, overview, layout }: PinsContent) => {
    const numbers = unitStatistics(table, request.unit);
    const images = formatCount(overview.crops, overview.crops > overview.photographs ? "crop" : "photograph");
    setText(statistics, shortStatistics(numbers));
    select.title = `${name}: ${describeUnit(numbers, images)}`;
    const rejected = store.rejectionReason(request) !== undefined;
    const dead = isInactive(table, request.unit);
    const bitmaps = partsOf(state.view).map((part) => (part === "projections" && rejected ? null : store.mosaic(request, part)));
    const key = [...bitmaps.map((bitmap) => bitmap !== undefined), rejected, ...Object.values(request), layout.side].join();
    if (key === drawn) return;
    drawn = key;
    canvas.hidden = dead;
    drawMosaics(canvas, bitmaps, layout, window.devicePixelRatio || 1);
  };
  return { element, update };
}
