/** The rows: units grouped by layer, in blocks side by side where there is room. */
import { contentWidth, focusedElement, h, setText } from "../ui/dom.ts";
import { distribute, GAP, LABEL, type RowsLayout, rowsLayout } from "./layout.ts";
import type { EvolutionStore } from "./store.ts";
import { describeColumn, percent } from "./texts.ts";
import { partsOf, UnitRow } from "./unit_row.ts";
import type { CellKey, Column, EvolutionState, Row, RowsReply, UnitName } from "./wire.ts";

const MAX_TILE = 224;
const NEXT_CELLS = 256; // that are requested while they are out of sight

export interface RowsContent {
  state: EvolutionState;
  reply: RowsReply;
  columns: readonly Column[];
  epoch: number | null;
  unit: UnitName | null;
}

interface RowsOptions {
  store: EvolutionStore;
  pick: (unit: UnitName, epoch: number) => void;
  /** Called with the epoch of a column whose heading is clicked. */
  pickEpoch: (epoch: number) => void;
  open: () => void;
}

/** A block: the headings of the columns, above rows. */
interface Block {
  element: HTMLElement;
  head: HTMLElement;
  headings: HTMLButtonElement[];
  body: HTMLElement;
}

export class UnitRows {
  readonly element: HTMLElement;
  private readonly blocks: Block[] = [];
  private readonly rows = new Map<string, UnitRow>();
  private order: UnitRow[] = [];
  private content: RowsContent | null = null;
  private layout: RowsLayout = { blocks: 1, cell: 64 };
  private readonly resize = new ResizeObserver(() => this.content && this.update(this.content));
  private readonly visibility = new IntersectionObserver((entries) => this.seen(entries));
  private readonly rowOf = new WeakMap<Element, UnitRow>();

  constructor(private readonly options: RowsOptions) {
    this.element = h("div", { class: "dwv-rows", "data-part": "rows", "data-testid": "rows" });
    this.element.addEventListener("dblclick", ({ target }) => {
      if (target instanceof Element && target.closest(".dwv-cell")) options.open();
    });
    this.resize.observe(this.element);
  }

  close(): void {
    this.resize.disconnect();
    this.visibility.disconnect();
    this.options.store.client.release(this);
  }

  update(content: RowsContent): void {
    const previous = this.content;
    this.content = content;
    const { columns, reply } = content;
    if (!this.element.clientWidth) return; // hidden
    const groups = groupByLayer(reply.rows);
    this.layout = rowsLayout(contentWidth(this.element), columns.length, reply.rows.length, groups.length);
    const variables = {
      "--dwv-cell": `${this.layout.cell}px`,
      "--dwv-label": `${LABEL}px`,
      "--dwv-gap": `${GAP}px`,
      "--dwv-columns": columns.length,
    };
    for (const [name, value] of Object.entries(variables)) this.element.style.setProperty(name, String(value));
    this.arrange(groups);
    this.drawHeadings(content);
    this.requestCells();
    const isMoved = previous?.unit?.join() !== content.unit?.join() || previous?.epoch !== content.epoch;
    if (isMoved) this.reveal();
  }

  /** Draw the pictures that have arrived. */
  paint(): void {
    for (const row of this.order) row.draw();
  }

  focus(): void {
    (this.selectedCell ?? this.element.querySelector<HTMLElement>(".dwv-cell"))?.focus({ preventScroll: true });
  }

  /** Return the unit that is `step` rows after the selected one. */
  neighbour(step: number): UnitName | null {
    const { content } = this;
    if (!content?.reply.rows.length) return null;
    const { rows } = content.reply;
    const at = rows.findIndex((row) => isUnit(row, content.unit));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    return next ? [next.layer, next.unit] : null;
  }

  /** Return the first unit of the next or the previous layer. */
  neighbourLayer(step: 1 | -1): UnitName | null {
    const { content } = this;
    const groups = groupByLayer(content?.reply.rows ?? []);
    const at = groups.findIndex(([row]) => row?.layer === content?.unit?.[0]);
    const next = groups[Math.min(groups.length - 1, Math.max(0, at + step))]?.[0];
    return next ? [next.layer, next.unit] : null;
  }

  private get selectedCell(): HTMLElement | null {
    return this.element.querySelector<HTMLElement>('.dwv-cell[aria-selected="true"]');
  }

  /** Assign the rows to blocks, and update them. */
  private arrange(groups: Row[][]): void {
    const { content, layout } = this;
    if (!content) return;
    const parts = distribute(
      groups.map((group) => group.length),
      layout.blocks,
    );
    while (this.blocks.length > parts.length) this.blocks.pop()?.element.remove();
    const used = new Set<string>();
    const focused = focusedElement(this.element);
    this.order = [];
    parts.forEach((indices, number) => {
      const block = this.blocks[number] ?? this.addBlock();
      const rows = indices.flatMap((index) => groups[index] ?? []);
      const elements = rows.map((row, at) => {
        const key = `${row.layer}|${row.unit}`;
        used.add(key);
        return this.updateRow(key, row, rows[at - 1]?.layer !== row.layer);
      });
      block.element.setAttribute("aria-label", `Units of ${indices.map((index) => groups[index]?.[0]?.layer).join(", ")}`);
      const isSame = block.body.childElementCount === elements.length && elements.every((row, at) => block.body.children[at] === row);
      if (!isSame) block.body.replaceChildren(...elements);
    });
    for (const [key, row] of this.rows) {
      if (used.has(key)) continue;
      this.visibility.unobserve(row.element);
      this.rows.delete(key);
    }
    if (focused instanceof HTMLElement && focused !== focusedElement(this.element) && focused.isConnected)
      focused.focus({ preventScroll: true });
  }

  private updateRow(key: string, row: Row, isFirst: boolean): HTMLElement {
    const { state, reply, columns, epoch, unit } = this.content as RowsContent;
    let view = this.rows.get(key);
    if (!view) {
      view = new UnitRow(this.options.store.cells, ({ content }, at) => content && this.pick(content.row, at));
      this.rows.set(key, view);
      this.rowOf.set(view.element, view);
      this.visibility.observe(view.element);
    }
    const { cell } = this.layout;
    view.update({
      row,
      isFirst,
      columns,
      epochs: reply.epochs,
      show: state.show,
      cell,
      tile: this.tile,
      epoch,
      selected: isUnit(row, unit),
    });
    this.order.push(view);
    return view.element;
  }

  /** The side of a picture in pixels: few different sizes, so that resizing does not fetch them again. */
  private get tile(): number {
    const pixels = this.layout.cell * (globalThis.devicePixelRatio || 1);
    return Math.min(MAX_TILE, 16 * Math.ceil(pixels / 16));
  }

  private addBlock(): Block {
    const head = h("div", { class: "dwv-head", role: "row" }, h("span", { role: "columnheader", class: "dwv-corner" }));
    const body = h("div", { class: "dwv-body", role: "rowgroup" });
    const block: Block = { element: h("div", { class: "dwv-block", role: "grid" }, head, body), head, headings: [], body };
    this.blocks.push(block);
    this.element.append(block.element);
    return block;
  }

  private drawHeadings({ columns, epoch }: RowsContent): void {
    for (const block of this.blocks) {
      while (block.headings.length > columns.length) block.headings.pop()?.remove();
      columns.forEach((column, index) => {
        const heading = block.headings[index] ?? this.addHeading(block);
        const [name, note] = heading.children as unknown as [HTMLElement, HTMLElement];
        setText(name, index === 0 ? `${column.unit} ${column.epoch}` : String(column.epoch));
        setText(note, headingNote(column));
        heading.dataset.epoch = String(column.epoch);
        heading.dataset.state = column.state;
        heading.setAttribute("aria-current", String(column.epoch === epoch));
        const about = [column.label, column.trained ? "" : "random weights", describeColumn(column)].filter(Boolean);
        heading.title = [`${column.unit} ${column.epoch}`, ...about].join(" · ");
      });
    }
  }

  private addHeading(block: Block): HTMLButtonElement {
    const heading = h("button", { type: "button", class: "dwv-heading", tabindex: -1 }, h("span", {}), h("small", {}));
    heading.addEventListener("click", () => this.options.pickEpoch(Number(heading.dataset.epoch)));
    block.head.append(h("span", { role: "columnheader" }, heading));
    block.headings.push(heading);
    return heading;
  }

  private pick(row: Row, epoch: number): void {
    this.options.pick([row.layer, row.unit], epoch);
    this.focus();
  }

  private seen(entries: IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const row = this.rowOf.get(target);
      if (!row) continue;
      row.isVisible = isIntersecting;
      row.draw();
    }
    this.requestCells();
  }

  /** Request the pictures of the visible rows, those near the current epoch first, then of the others. */
  private requestCells(): void {
    const { content } = this;
    if (!content) return;
    const epochs = content.columns.map(({ epoch }) => epoch);
    const at = epochs.indexOf(content.epoch ?? Number.NaN);
    const distance = ([epoch]: CellKey) => Math.abs(epochs.indexOf(epoch) - Math.max(0, at));
    const keysOf = (visible: boolean) => this.order.filter((row) => row.isVisible === visible).flatMap((row) => row.keys);
    const shown = keysOf(true).sort((a, b) => distance(a) - distance(b));
    const parts = partsOf(content.state.show);
    this.options.store.cells.request(this, "shown", shown, parts, this.tile);
    this.options.store.cells.request(this, "next", keysOf(false).slice(0, NEXT_CELLS), parts, this.tile);
  }

  /** Scroll the selected cell into sight, in this pane only. */
  private reveal(): void {
    const cell = this.selectedCell;
    const pane = this.element;
    if (!cell || pane.scrollHeight + pane.scrollWidth <= pane.clientHeight + pane.clientWidth) return;
    const [inner, outer] = [cell.getBoundingClientRect(), pane.getBoundingClientRect()];
    const zoom = outer.width / pane.offsetWidth || 1;
    const head = (this.blocks[0]?.head.offsetHeight ?? 0) + 8;
    const above = inner.top - outer.top - head * zoom;
    const below = inner.bottom - outer.top - pane.clientHeight * zoom + 4;
    if (above < 0) pane.scrollTop += above / zoom;
    else if (below > 0) pane.scrollTop += below / zoom;
    const before = inner.left - outer.left - (LABEL + 14) * zoom;
    const after = inner.right - outer.left - pane.clientWidth * zoom + 4;
    if (before < 0) pane.scrollLeft += before / zoom;
    else if (after > 0) pane.scrollLeft += after / zoom;
  }
}

function isUnit(row: Row, unit: UnitName | null): boolean {
  return unit !== null && row.layer === unit[0] && row.unit === unit[1];
}

function groupByLayer(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.layer, [...(groups.get(row.layer) ?? []), row]);
  return [...groups.values()];
}

/** Return the second line of the heading of a column. */
function headingNote({ state, trained, progress }: Column): string {
  if (state === "failed") return "failed";
  if (state === "waiting") return "waits";
  if (state === "building") return progress?.total ? percent(progress) : "…";
  return trained ? "" : "random";
}
