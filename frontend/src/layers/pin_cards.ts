/** The cards of pinned units below a grid, of one model or of two: mosaics and statistics. They stay while other layers are shown. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import type { LayerStore } from "./store.ts";
import { shortStatistics } from "./unit_facts.ts";
import { isInactive, type Table, unitStatistics } from "./unit_table.ts";
import { drawMosaics } from "./unit_tile.ts";
import type { MosaicRequest, Part } from "./wire.ts";

interface CardOptions {
  name: string;
  testid: string;
  /** Whether the model of the pin is shown; of others nothing but the name is known. */
  known: boolean;
  /** What is shown in place of the statistics of a unit of another model. */
  unknown: string;
  /** Shown below the name. */
  lines?: Node[];
  open: () => void;
  unpin: () => void;
}

export type PinCard = ReturnType<typeof createPinCard>;

export function createPinCard({ name, testid, known, unknown, lines = [], open, unpin }: CardOptions) {
  const canvas = h("canvas", { hidden: !known });
  const statistics = h("span", { class: "dwx-pin-statistics" }, known ? "" : unknown);
  const properties = { type: "button", class: "dwx-pin-open", disabled: !known, "data-testid": testid, onclick: open };
  const select = h("button", properties, h("b", {}, name), ...lines, statistics, canvas);
  const label = `Unpin ${name}`;
  const remove = { type: "button", class: "dwx-unpin", title: label, "aria-label": label, "data-testid": "unpin", onclick: unpin };
  const element = h("div", { class: "dwx-pin-card", role: "listitem" }, select, h("button", remove, "×"));
  let drawn = "";
  select.title = known ? "" : unknown;

  /** Draw what is loaded of the unit. */
  const draw = (
    store: LayerStore,
    request: MosaicRequest,
    { table, parts, layout }: { table: Table; parts: readonly Part[]; layout: Parameters<typeof drawMosaics>[2] },
  ) => {
    setText(statistics, shortStatistics(unitStatistics(table, request.unit)));
    const rejected = store.rejectionReason(request) !== undefined;
    const bitmaps = parts.map((part) => (part === "projections" && rejected ? null : store.mosaic(request, part)));
    const key = [...bitmaps.map((bitmap) => bitmap !== undefined), rejected, ...Object.values(request), layout.side].join();
    if (key === drawn) return;
    drawn = key;
    canvas.hidden = isInactive(table, request.unit);
    drawMosaics(canvas, bitmaps, layout, window.devicePixelRatio || 1);
  };
  return { element, select, draw };
}

export class PinCards<Pin> {
  readonly element: HTMLElement;
  private readonly count = h("span", {});
  private readonly list = h("div", { class: "dwx-pins", role: "list" });
  private cards = new Map<string, PinCard>();

  constructor(
    private readonly keyOf: (pin: Pin) => string,
    private readonly create: (pin: Pin) => PinCard,
  ) {
    const title = h("div", { class: "dwx-pins-title" }, this.count, h("span", {}, "a click selects the unit"));
    const properties = { class: "dwx-pinned", "aria-label": "Pinned units", "data-testid": "pinned", hidden: true };
    this.element = h("section", properties, title, this.list);
  }

  /** Create the cards of new pins, and keep the others, which may have the focus. */
  show(pinned: readonly Pin[]): void {
    this.element.hidden = pinned.length === 0;
    setText(this.count, `Pinned: ${formatCount(pinned.length, "unit")}`);
    const keys = pinned.map((pin) => this.keyOf(pin));
    if (keys.join() === [...this.cards.keys()].join()) return;
    this.cards = new Map(pinned.map((pin) => [this.keyOf(pin), this.card(pin) ?? this.create(pin)]));
    this.list.replaceChildren(...[...this.cards.values()].map(({ element }) => element));
  }

  card(pin: Pin): PinCard | undefined {
    return this.cards.get(this.keyOf(pin));
  }
}
