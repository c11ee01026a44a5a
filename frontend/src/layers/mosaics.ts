import { h, setText } from "../ui/dom.ts";
import { GAP } from "./grid_layout.ts";
import { mosaicKey } from "../kernel/bitmap_cache.ts";
import { PARTS } from "./store.ts";
import type { NineWanted, Wire } from "./store.ts";

/**
 * Draw a mosaic over a whole canvas, or clear it.
 * @param pixels of its side
 * @param refused there is none
 */
export function drawMosaic(canvas: HTMLCanvasElement, bitmap: ImageBitmap | undefined, pixels: number, refused: boolean) {
  if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, pixels, pixels);
  context.imageSmoothingEnabled = bitmap?.width !== pixels;
  if (bitmap) context.drawImage(bitmap, 0, 0, pixels, pixels);
  if (refused) drawNothing(context, 0, pixels);
  else clearGaps(context, 0, pixels);
}

/** A quiet mark where there is no projection, because the rule does not lead down there. */
export function drawNothing(context: CanvasRenderingContext2D, left: number, side: number) {
  context.fillStyle = "rgba(127, 127, 127, 0.07)";
  context.fillRect(left, 0, side, side);
  context.strokeStyle = "rgba(127, 127, 127, 0.45)";
  context.lineWidth = Math.max(1, side / 160);
  context.beginPath();
  context.moveTo(left + 0.44 * side, 0.5 * side);
  context.lineTo(left + 0.56 * side, 0.5 * side);
  context.stroke();
}

/** The gaps between a mosaic's tiles, in its own grey, are hard to tell from the projections: let the background through instead. */
export function clearGaps(context: CanvasRenderingContext2D, left: number, side: number) {
  const tile = (side - 2 * GAP) / 3;
  for (const at of [tile, 2 * tile + GAP]) {
    context.clearRect(left + at, 0, GAP, side);
    context.clearRect(left, at, side, GAP);
  }
}

/** A unit's nine projections beside its nine patches, at readable size, one of the nine marked in both. */
export function createMosaics({
  wire,
  testid,
  point = () => {},
  pick,
}: {
  wire: Wire;
  testid: string;
  /** one is pointed at, or none any more */
  point?: (rank: number | null) => void;
  pick?: (rank: number) => void;
}) {
  const columns = PARTS.map((part) => {
    const title = h("div", { class: "dwx-cap" });
    const canvas = h("canvas", { "data-testid": `${testid}-${part}`, role: "img" });
    const cells = pick ? Array.from({ length: 9 }, (_, rank) => cell(part, rank)) : [];
    const frame = h("div", { class: "dwx-nine" }, canvas, ...cells);
    return { part, title, canvas, cells, frame, element: h("div", { class: "dwx-nine-column" }, title, frame) };
  });
  const element = h("div", { class: "dwx-two", "data-part": pick ? "nine" : null }, ...columns.map((column) => column.element));

  function cell(part: string, rank: number) {
    // One of the eighteen takes part in the tab order: the chosen projection.
    const properties = {
      type: "button",
      class: "dwx-cell",
      tabindex: -1,
      "data-rank": rank,
      "data-testid": `${testid}-${part}-${rank + 1}`,
    };
    const listeners = { onpointerenter: () => point(rank), onpointerleave: () => point(null), onclick: () => pick?.(rank) };
    return h("button", { ...properties, ...listeners });
  }

  /** @returns whether both are shown as asked for */
  const update = ({
    wanted,
    side,
    stopgap,
    count,
    rank,
    describe,
  }: {
    wanted: NineWanted;
    /** CSS pixels */
    side: number;
    /** a smaller mosaic that may be there already */
    stopgap: NineWanted | null;
    count: number;
    rank: number;
    describe: (rank: number) => string;
  }): boolean => {
    let sharp = true;
    for (const { part, title, canvas, cells, frame, element } of columns) {
      const bitmap = wire.pictures.get(mosaicKey(wanted, part));
      const shown = bitmap ?? (stopgap ? wire.pictures.get(mosaicKey(stopgap, part)) : undefined);
      const refused = part === "projections" && wire.refusal(wanted) !== undefined;
      sharp = sharp && (bitmap !== undefined || refused);
      setText(title, part === "patches" ? "what it saw" : refused ? `no ${wanted.rule} projection` : `what excited it (${wanted.rule})`);
      canvas.setAttribute("aria-label", `${title.textContent}, unit ${wanted.unit} of ${wanted.layer}`);
      frame.style.width = frame.style.height = `${side}px`;
      element.style.width = `${side}px`; // a longer caption is cut, so that columns stand beneath each other
      frame.dataset.sharp = String(bitmap !== undefined);
      frame.dataset.refused = String(refused);
      drawMosaic(canvas, shown, 3 * wanted.tile + 4, refused);
      cells.forEach((button, at) => mark(button, at, at < count, at === rank, part, describe));
    }
    return sharp;
  };

  function mark(button: HTMLElement, at: number, filled: boolean, chosen: boolean, part: string, describe: (rank: number) => string) {
    button.hidden = !filled;
    button.setAttribute("aria-pressed", String(chosen && filled));
    const words = describe(at);
    if (button.title !== words) {
      button.title = words;
      button.setAttribute("aria-label", `${part === "patches" ? "patch" : "projection"} ${words}`);
    }
    button.tabIndex = chosen && part === "projections" ? 0 : -1;
  }

  /** Light up what is pointed at elsewhere. */
  const highlight = (rank: number | null) => {
    for (const { cells } of columns) cells.forEach((button, at) => button.classList.toggle("dwx-pointed", at === rank));
  };
  const focus = (rank: number) => columns[0]?.cells[rank]?.focus({ preventScroll: false });
  return { element, update, highlight, focus };
}
