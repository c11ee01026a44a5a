/** The strongest activations of a unit as two 3 x 3 mosaics: projections and patches. */
import { context2d, h, setText } from "../ui/dom.ts";
import { GAP } from "./grid_layout.ts";
import { type LayerStore, PARTS } from "./store.ts";
import type { MosaicRequest, Part } from "./wire.ts";

const TILES = 9;

/** Draw a mosaic on a square canvas of `side` pixels, or a placeholder if the rule was rejected. */
function drawMosaic(canvas: HTMLCanvasElement, bitmap: ImageBitmap | undefined, side: number, rejected: boolean): void {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = context2d(canvas);
  context.clearRect(0, 0, side, side);
  context.imageSmoothingEnabled = bitmap?.width !== side;
  if (bitmap) context.drawImage(bitmap, 0, 0, side, side);
  if (rejected) drawPlaceholder(context, 0, side);
  else clearGaps(context, 0, side);
}

/** Draw a placeholder for projections: the rule cannot be applied to the layer. */
export function drawPlaceholder(context: CanvasRenderingContext2D, left: number, side: number): void {
  context.fillStyle = "rgba(127, 127, 127, 0.07)";
  context.fillRect(left, 0, side, side);
  context.strokeStyle = "rgba(127, 127, 127, 0.45)";
  context.lineWidth = Math.max(1, side / 160);
  context.beginPath();
  context.moveTo(left + 0.44 * side, 0.5 * side);
  context.lineTo(left + 0.56 * side, 0.5 * side);
  context.stroke();
}

/** Clear the gaps between the tiles of a mosaic, whose gray is similar to that of the projections. */
export function clearGaps(context: CanvasRenderingContext2D, left: number, side: number): void {
  const tile = (side - 2 * GAP) / 3;
  for (const offset of [tile, 2 * tile + GAP]) {
    context.clearRect(left + offset, 0, GAP, side);
    context.clearRect(left, offset, side, GAP);
  }
}

interface MosaicsContent {
  request: MosaicRequest;
  /** The side of a mosaic in CSS pixels. */
  side: number;
  /** The tile size of cached mosaics that are shown until the requested ones arrive. */
  previewTile: number;
  /** The number of activations. */
  count: number;
  /** The rank of the selected tile; -1: none. */
  rank: number;
  describe: (rank: number) => string;
}

/**
 * Create two mosaics side by side.
 * @param hover called with the rank of the hovered tile, and with null when the pointer leaves it
 * @param pick called with the rank of the selected tile; if omitted, tiles cannot be selected
 */
export function createMosaics({
  store,
  testid,
  hover = () => {},
  pick,
}: {
  store: LayerStore;
  testid: string;
  hover?: (rank: number | null) => void;
  pick?: (rank: number) => void;
}) {
  const createTile = (part: Part, rank: number) => {
    const properties = {
      type: "button",
      class: "dwx-cell",
      tabindex: -1,
      "data-rank": rank,
      "data-testid": `${testid}-${part}-${rank + 1}`,
    };
    const listeners = { onpointerenter: () => hover(rank), onpointerleave: () => hover(null), onclick: () => pick?.(rank) };
    return h("button", { ...properties, ...listeners });
  };
  const columns = PARTS.map((part) => {
    const title = h("div", { class: "dwx-part-caption" });
    const canvas = h("canvas", { "data-testid": `${testid}-${part}`, role: "img" });
    const tiles = pick ? Array.from({ length: TILES }, (_, rank) => createTile(part, rank)) : [];
    const frame = h("div", { class: "dwx-mosaic" }, canvas, ...tiles);
    return { part, title, canvas, tiles, frame, element: h("div", { class: "dwx-mosaic-column" }, title, frame) };
  });
  const element = h(
    "div",
    { class: "dwx-mosaic-columns", "data-part": pick ? "mosaics" : null },
    ...columns.map((column) => column.element),
  );

  /** Show the mosaics. Return whether both are available in the requested size. */
  const update = ({ request, side, previewTile, count, rank, describe }: MosaicsContent): boolean => {
    let complete = true;
    for (const { part, title, canvas, tiles, frame, element } of columns) {
      const bitmap = store.mosaic(request, part);
      const rejected = part === "projections" && store.rejectionReason(request) !== undefined;
      complete &&= bitmap !== undefined || rejected;
      setText(title, part === "patches" ? "Patches" : rejected ? `No ${request.rule} projection` : `Projections (${request.rule})`);
      canvas.setAttribute("aria-label", `${title.textContent}, unit ${request.unit} of ${request.layer}`);
      frame.style.width = frame.style.height = `${side}px`;
      element.style.width = `${side}px`; // long captions are truncated, so that columns stay aligned
      frame.dataset.sharp = String(bitmap !== undefined);
      frame.dataset.refused = String(rejected);
      drawMosaic(canvas, bitmap ?? store.mosaic({ ...request, tile: previewTile }, part), 3 * request.tile + 2 * GAP, rejected);
      tiles.forEach((tile, index) => {
        const selected = index === rank && index < count;
        tile.hidden = index >= count;
        tile.setAttribute("aria-pressed", String(selected));
        tile.tabIndex = selected && part === "projections" ? 0 : -1; // a roving tabindex
        const description = describe(index);
        if (tile.title === description) return;
        tile.title = description;
        tile.setAttribute("aria-label", `${part === "patches" ? "Patch" : "Projection"} ${description}`);
      });
    }
    return complete;
  };

  /** Highlight the tiles of a rank. */
  const highlight = (rank: number | null) => {
    for (const { tiles } of columns) tiles.forEach((tile, index) => void tile.classList.toggle("dwx-hovered", index === rank));
  };
  const focus = (rank: number) => columns[0]?.tiles[rank]?.focus({ preventScroll: false });
  return { element, update, highlight, focus };
}
