/** Activations of a unit, projection beside patch, in groups: a list to scroll, whose pictures are loaded as they come into sight. */
import { context2d, h, setText } from "../ui/dom.ts";
import { formatNumber, formatPercent } from "../ui/format.ts";
import { nextInGrid } from "../ui/grid_navigation.ts";
import { drawPlaceholder } from "./mosaics.ts";
import type { PlacePicture } from "./place_store.ts";
import type { LayerStore } from "./store.ts";
import type { PicturesRequest, Place, PlaceGroup, Places } from "./wire.ts";

const MARGIN = "120px"; // pictures just out of sight are loaded, too
const MIN_SIDE = 56;

interface PlacesOptions {
  store: LayerStore;
  /** Called with the number of the activation that is selected. */
  pick: (number: number) => void;
}

interface PlacesContent {
  places: Places;
  request: Omit<PicturesRequest, "tile">;
  selected: number;
}

interface Cell {
  button: HTMLButtonElement;
  canvases: [projection: HTMLCanvasElement, patch: HTMLCanvasElement];
  note: HTMLElement;
  place: Place;
  drawn: PlacePicture | string | null;
}

export class PlacesView {
  readonly element: HTMLElement;
  private readonly note = h("p", { class: "dwl-places-note", "data-testid": "places-note" });
  private readonly list = h("div", { class: "dwl-places", "data-testid": "places" });
  private readonly inSight = new Set<number>();
  private readonly observer: IntersectionObserver;
  private cells: Cell[] = [];
  private content: PlacesContent | null = null;
  private side = MIN_SIDE;

  constructor(private readonly options: PlacesOptions) {
    this.element = h("div", { class: "dwl-places-view" }, this.note, this.list);
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { root: this.element, rootMargin: MARGIN });
    this.list.addEventListener("keydown", (event) => this.onKey(event));
  }

  close(): void {
    this.observer.disconnect();
    this.options.store.client.release(this);
  }

  /** Show activations, and request the pictures of those in sight. */
  update(content: PlacesContent): void {
    const previous = this.content;
    this.content = content;
    const side = this.fit();
    if (previous?.places !== content.places || side !== this.side) {
      this.side = side;
      this.build(content.places);
      if (previous?.request.unit !== content.request.unit || previous.places.tab !== content.places.tab) this.element.scrollTop = 0;
    }
    this.cells.forEach(({ button }, number) => {
      button.setAttribute("aria-pressed", String(number === content.selected));
      button.tabIndex = number === content.selected ? 0 : -1;
    });
    this.draw();
  }

  focus(): void {
    this.cells[this.content?.selected ?? 0]?.button.focus();
  }

  /** Return the side of a picture in CSS pixels: two pairs beside each other, or three in a wide column. */
  private fit(): number {
    const width = this.element.clientWidth - 14; // of the scroll bar
    const pairs = width >= 560 ? 3 : 2;
    return Math.max(MIN_SIDE, Math.floor((width - (pairs - 1) * 10 - pairs * 11) / (2 * pairs)));
  }

  private get request(): PicturesRequest | null {
    const tile = Math.min(512, Math.round(this.side * (window.devicePixelRatio || 1)));
    return this.content && { ...this.content.request, tile };
  }

  private build(places: Places): void {
    this.observer.disconnect();
    this.inSight.clear();
    this.cells = [];
    setText(this.note, places.note);
    this.note.hidden = !places.note;
    this.list.replaceChildren(...places.groups.map((group) => this.createGroup(group, places)));
    for (const { button } of this.cells) this.observer.observe(button);
  }

  private createGroup(group: PlaceGroup, places: Places): HTMLElement {
    const title = describeGroup(group);
    const cells = group.places.map((place) => this.createCell(place, places));
    const heading = title ? h("h4", { class: "dwl-group-title" }, title) : null;
    const label = title || `Activations of unit ${this.content?.request.unit}`;
    return h(
      "div",
      { role: "group", "aria-label": label, class: "dwl-place-group" },
      heading,
      h("div", { class: "dwl-place-cells" }, ...cells),
    );
  }

  private createCell(place: Place, { tab }: Places): HTMLElement {
    const number = this.cells.length;
    const canvases: Cell["canvases"] = [h("canvas", {}), h("canvas", {})];
    const note = h("span", { class: "dwl-place-note", hidden: true });
    const pictures = h("span", { class: "dwl-pair", style: `--side:${this.side}px` }, ...canvases, note);
    const rank = tab === "range" ? "" : `#${number + 1} · `;
    const caption = h(
      "span",
      { class: "dwl-place-caption" },
      rank,
      h("b", {}, formatNumber(place.value)),
      ` ${place.label ?? place.source}`,
    );
    const title = `${rank}${formatNumber(place.value)} · ${place.label ? `${place.label} · ` : ""}${place.source} · at row ${place.row}, column ${place.column}`;
    const properties = { type: "button", class: "dwl-place", title, "data-testid": `place-${number + 1}` };
    const button = h("button", { ...properties, onclick: () => this.options.pick(number) }, pictures, caption);
    this.cells.push({ button, canvases, note, place, drawn: null });
    return button;
  }

  private seen(entries: IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const number = this.cells.findIndex(({ button }) => button === target);
      if (isIntersecting) this.inSight.add(number);
      else this.inSight.delete(number);
    }
    this.draw();
  }

  /** Draw the pictures that are loaded, and request those in sight that are not. */
  private draw(): void {
    const { request } = this;
    if (!request || !this.element.clientWidth) return;
    const { places } = this.options.store;
    for (const [number, cell] of this.cells.entries()) {
      const drawn = places.picture(request, number) ?? places.pictureError(request, number) ?? null;
      if (drawn !== cell.drawn || drawn === null) drawCell(cell, drawn, request.tile);
    }
    places.request(
      this,
      request,
      [...this.inSight].filter((number) => number >= 0).sort((a, b) => a - b),
    );
  }

  private onKey(event: KeyboardEvent): void {
    const index = this.cells.findIndex(({ button }) => button === event.target);
    if (index < 0) return;
    const next = nextInGrid(event.key, index, this.columns(), this.cells.length);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.options.pick(next);
    this.cells[next]?.button.focus();
  }

  /** Return the number of cells in the first row. */
  private columns(): number {
    const top = this.cells[0]?.button.offsetTop;
    return Math.max(1, this.cells.filter(({ button }) => button.offsetTop === top).length);
  }
}

function describeGroup({ low, high, share }: PlaceGroup): string {
  if (share === null) return "";
  const values = low === high ? formatNumber(low) : `${formatNumber(low)} to ${formatNumber(high)}`;
  return `${values} · ${formatPercent(share)} of the images`;
}

/** Draw the pictures of an activation; `drawn` is an error message if there are none. */
function drawCell(cell: Cell, drawn: PlacePicture | string | null, tile: number): void {
  cell.drawn = drawn;
  const [projection, patch] = cell.canvases;
  const picture = typeof drawn === "object" ? drawn : null;
  for (const [canvas, bitmap] of [
    [projection, picture?.projection],
    [patch, picture?.patch],
  ] as const) {
    Object.assign(canvas, { width: tile, height: tile });
    const context = context2d(canvas);
    if (bitmap) context.drawImage(bitmap, (tile - bitmap.width) / 2, (tile - bitmap.height) / 2);
    else if (picture && !cell.place.projected) context.clearRect(0, 0, tile, tile);
    else if (picture) drawPlaceholder(context, 0, tile);
  }
  const reason = typeof drawn === "string" ? drawn : (picture?.reason ?? "");
  cell.note.hidden = !reason;
  cell.note.title = reason;
  setText(
    cell.note,
    cell.place.projected || typeof drawn === "string" ? (typeof drawn === "string" ? "not loaded" : "") : "nothing to project",
  );
  cell.button.dataset.painted = String(picture !== null);
}
