/** The selected pair: the mosaics and statistics of both units, and both maps on one photograph. */
import { fitTile } from "../layers/grid_layout.ts";
import { createMosaics } from "../layers/mosaics.ts";
import { PARTS } from "../layers/store.ts";
import { describeRank, shortStatistics } from "../layers/unit_facts.ts";
import { isInactive, type Table, unitStatistics } from "../layers/unit_table.ts";
import type { MosaicRequest } from "../layers/wire.ts";
import { contentWidth, h, setText } from "../ui/dom.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { CropMaps } from "./crop_maps.ts";
import { createStatusMark, LETTERS } from "./pair_tile.ts";
import { formatCorrelation, type Pairs, unitOf } from "./pairs.ts";
import type { PairStore } from "./store.ts";
import { type Both, type PairState, SIDES, type Side } from "./wire.ts";

const OTHER_HEIGHT = 350; // of the panel without the mosaics, in CSS pixels
const COLUMN_GAP = 12; // between A and B

export interface PanelContent {
  state: PairState;
  pairs: Pairs;
  /** The selected pair. */
  pair: number;
  tables: Both<Table | undefined>;
  names: Both<string>;
  /** The tile size of the list: its mosaics are shown until larger ones are loaded. */
  gridTile: number;
}

interface PanelOptions {
  store: PairStore;
  set: (patch: Partial<PairState>) => void;
  pin: (side: Side) => void;
  isPinned: (side: Side) => boolean;
  /** Show the LayerExplorer's pane of a unit. */
  open: (side: Side) => void;
}

export class PairPanel {
  readonly element: HTMLElement;
  private readonly title = h("h3", { "data-testid": "pair-title" });
  private readonly numbers = h("span", { class: "dwx-numbers dwc-pair-numbers", "data-testid": "pair-numbers" });
  private readonly blocks: Both<ReturnType<typeof createBlock>>;
  private readonly crops: CropMaps;
  private readonly observer = new ResizeObserver(() => this.draw());
  private content: PanelContent | null = null;
  /** The crop that is shown, and whose activation it is. */
  selected: { side: Side; crop: number } | null = null;
  private hovered: { side: Side; rank: number } | null = null;

  constructor(private readonly options: PanelOptions) {
    const create = (side: Side) =>
      createBlock(side, options, {
        hover: (rank) => this.hover(side, rank),
        pick: (rank) => this.pick(side, rank),
      });
    this.blocks = { a: create("a"), b: create("b") };
    this.crops = new CropMaps(options.store);
    const head = h("div", { class: "dwx-detail-head" }, this.title, this.numbers);
    const blocks = h("div", { class: "dwc-blocks" }, this.blocks.a.element, this.blocks.b.element);
    const parts = [head, blocks, this.crops.element];
    this.element = h("section", { class: "dwx-detail dwc-panel", "aria-label": "Selected pair", "data-testid": "panel" }, ...parts);
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
    this.crops.close();
    for (const side of SIDES) this.options.store.sides[side].client.release(this);
  }

  update(content: PanelContent): void {
    if (this.content?.pair !== content.pair || this.content.pairs !== content.pairs) this.hovered = null;
    this.content = content;
    this.draw();
  }

  /** Select another of the strongest activations of the selected side. */
  move(key: string): void {
    if (!this.content) return;
    const { side, rank } = this.content.state;
    const next = nextInGrid(key, rank, 3, Math.max(1, this.countEntries(side)));
    if (next !== null && next !== rank) this.options.set({ rank: next });
    this.blocks[side].mosaics.focus(this.content.state.rank);
  }

  /** Request the mosaics of a pair that is likely to be selected next. */
  prefetch(pair: number, list: "detail" | "hovered"): void {
    const { content } = this;
    if (!content || !this.element.clientWidth || pair === content.pair) return;
    this.requestMosaics({ ...content, pair }, list, this.size().tile);
  }

  toggleMaps(): void {
    this.crops.toggleMaps();
  }

  private unit(side: Side): number | null {
    return this.content ? unitOf(this.content.pairs, side, this.content.pair) : null;
  }

  private layer(side: Side): string {
    return this.content?.pairs.layers[side] ?? "";
  }

  private hover(side: Side, rank: number | null): void {
    this.hovered = rank === null ? null : { side, rank };
    this.blocks[side].mosaics.highlight(rank);
    this.drawCrops();
  }

  /** Select an activation; a second click shows the pane of its unit. */
  private pick(side: Side, rank: number): void {
    const { state } = this.content ?? {};
    if (state?.side === side && state.rank === rank) this.options.open(side);
    else this.options.set({ side, rank });
  }

  private entries(side: Side) {
    const unit = this.unit(side);
    return (
      (unit === null ? undefined : this.options.store.sides[side].unitDetail(this, this.layer(side), unit, false).value)?.entries ?? []
    );
  }

  /** Return the number of strongest activations, without requesting them. */
  private countEntries(side: Side): number {
    const unit = this.unit(side);
    const table = this.content?.tables[side];
    if (unit === null || (table && isInactive(table, unit))) return 0;
    return this.options.store.sides[side].loadedDetail(this.layer(side), unit, false)?.entries.length ?? 9;
  }

  /** Return the request for the mosaics of a unit of a pair; null for no unit, and for a dead one. */
  private mosaicRequest({ pairs, pair, tables, state }: PanelContent, side: Side, tile: number): MosaicRequest | null {
    const [unit, table] = [unitOf(pairs, side, pair), tables[side]];
    if (unit === null || (table && isInactive(table, unit))) return null;
    return { layer: pairs.layers[side], unit, rule: state.rule, contrast: state.contrast, tile };
  }

  private requestMosaics(content: PanelContent, list: "detail" | "hovered", tile: number): void {
    for (const side of SIDES) {
      const request = this.mosaicRequest(content, side, tile);
      this.options.store.sides[side].requestMosaics(this, list, request ? [request] : [], PARTS);
    }
  }

  private draw(): void {
    const { content } = this;
    if (!content || !this.element.clientWidth) return;
    const { pairs, pair } = content;
    const name = (side: Side) => {
      const unit = this.unit(side);
      return `${LETTERS[side]} ${unit ?? "–"}`;
    };
    const { a, b } = pairs.layers;
    setText(this.title, `${a === b ? a : `${a} | ${b}`} · ${name("a")} | ${name("b")}`);
    const correlation = formatCorrelation(pairs.correlation[pair]);
    this.numbers.replaceChildren(correlation === "–" ? "" : `r ${correlation} `, createStatusMark(pairs, pair));
    const { tile, side: length } = this.size();
    this.requestMosaics(content, "detail", tile); // of both before all else: they are the most urgent, and the cheapest
    for (const side of SIDES) this.drawBlock(side, content, tile, length);
    this.drawCrops();
  }

  private size(): { tile: number; side: number } {
    const height = (this.element.clientHeight - OTHER_HEIGHT) / 2;
    return fitTile(Math.min((contentWidth(this.element) - COLUMN_GAP) / 2, height), window.devicePixelRatio || 1, 36, 80);
  }

  private drawBlock(side: Side, content: PanelContent, tile: number, length: number): void {
    const block = this.blocks[side];
    const unit = this.unit(side);
    const table = content.tables[side];
    block.show({ unit, name: content.names[side], table, pinned: this.options.isPinned(side) });
    const count = this.countEntries(side);
    const request = this.mosaicRequest(content, side, tile);
    if (!request) return;
    const entries = this.entries(side);
    const describe = (rank: number) => describeRank(entries, rank);
    const rank = content.state.side === side ? content.state.rank : -1;
    block.mosaics.update({ request, side: length, previewTile: content.gridTile, count, rank, describe });
  }

  private drawCrops(): void {
    const { content } = this;
    if (!content) return;
    let { side, rank } = this.hovered ?? content.state;
    if (this.unit(side) === null) {
      side = side === "a" ? "b" : "a"; // the activations of the only unit
      rank = 0;
    }
    const crop = this.entries(side)[rank]?.image ?? null;
    this.selected = crop === null ? null : { side, crop };
    this.crops.update({ state: content.state, units: { a: this.unit("a"), b: this.unit("b") }, crop, rank, side });
  }
}

function createBlock(
  side: Side,
  { store, pin, open }: PanelOptions,
  { hover, pick }: { hover: (rank: number | null) => void; pick: (rank: number) => void },
) {
  const title = h("b", {});
  const numbers = h("div", { class: "dwx-numbers dwc-block-numbers", "data-testid": `numbers-${side}` });
  const button = (text: string, hint: string, name: string, onclick: () => void) =>
    h("button", { type: "button", class: "dwx-pin", title: hint, "data-testid": `${name}-${side}`, onclick }, text);
  const openButton = button("Details", `Show this unit as a LayerExplorer does (${side})`, "details", () => open(side));
  const key = side === "a" ? "p" : "Shift+P";
  const pinButton = button("Pin", `Keep this unit in sight while other layers are shown (${key})`, "pin", () => pin(side));
  const mosaics = createMosaics({ store: store.sides[side], testid: `mosaic-${side}`, hover, pick });
  const note = h("p", { class: "dwc-block-note", hidden: true });
  const head = h("div", { class: "dwc-block-head" }, title, openButton, pinButton);
  const element = h("div", { class: "dwc-block", "data-side": side }, head, numbers, mosaics.element, note);
  const show = ({ unit, name, table, pinned }: { unit: number | null; name: string; table: Table | undefined; pinned: boolean }) => {
    setText(title, unit === null ? LETTERS[side] : `${LETTERS[side]} ${unit}`);
    title.title = name;
    const dead = unit !== null && table !== undefined && isInactive(table, unit);
    setText(numbers, unit === null || !table ? "" : shortStatistics(unitStatistics(table, unit)));
    mosaics.element.hidden = unit === null || dead;
    openButton.hidden = pinButton.hidden = unit === null;
    pinButton.setAttribute("aria-pressed", String(pinned));
    setText(pinButton, pinned ? "Unpin" : "Pin");
    note.hidden = unit !== null && !dead;
    setText(note, dead ? "Inactive in every image." : `No unit of ${LETTERS[side]} is paired with it.`);
  };
  return { element, mosaics, show };
}
