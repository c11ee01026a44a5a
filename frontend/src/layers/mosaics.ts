/** A unit's strongest activations as two 3 x 3 mosaics: projections and patches. */
import { context2d, h, setText } from "../ui/dom.ts";
import { GAP } from "./grid_layout.ts";
import { type LayerStore, PARTS } from "./store.ts";
import type { MosaicRequest, Part } from "./wire.ts";

const TILES = 9;

/** Draw a mosaic over a whole square canvas of `side` pixels; a mark where there is none. */
function drawMosaic(canvas: HTMLCanvasElement, bitmap: ImageBitmap | undefined, side: number, refused: boolean): void {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = context2d(canvas);
  context.clearRect(0, 0, side, side);
  context.imageSmoothingEnabled = bitmap?.width !== side;
  if (bitmap) context.drawImage(bitmap, 0, 0, side, side);
  if (refused) drawNoProjection(context, 0, side);
  else clearGaps(context, 0, side);
}

/** Mark where there is no projection, because the rule cannot be applied. */
export function drawNoProjection(context: CanvasRenderingContext2D, left: number, side: number): void {
  context.fillStyle = "rgba(127, 127, 127, 0.07)";
  context.fillRect(left, 0, side, side);
  context.strokeStyle = "rgba(127, 127, 127, 0.45)";
  context.lineWidth = Math.max(1, side / 160);
  context.beginPath();
  context.moveTo(left + 0.44 * side, 0.5 * side);
  context.lineTo(left + 0.56 * side, 0.5 * side);
  context.stroke();
}

/** Clear the gaps between a mosaic's tiles: in its own grey they are hard to tell from the projections. */
export function clearGaps(context: CanvasRenderingContext2D, left: number, side: number): void {
  const tile = (side - 2 * GAP) / 3;
  for (const at of [tile, 2 * tile + GAP]) {
    context.clearRect(left + at, 0, GAP, side);
    context.clearRect(left, at, side, GAP);
  }
}

interface MosaicsContent {
  request: MosaicRequest;
  /** CSS pixels of a mosaic's side. */
  side: number;
  /** The tile size of mosaics that may be there already, to be shown until the others come. */
  smallTile: number;
  /** Tiles that are filled. */
  count: number;
  /** The chosen one; -1: none. */
  rank: number;
  describe: (rank: number) => string;
}

/**
 * The two mosaics side by side.
 * @param point called with the rank of the tile that is pointed at, and with null after that
 * @param pick called with the rank of the tile that is chosen; without it, none can be
 */
export function createMosaics({
  store,
  testid,
  point = () => {},
  pick,
}: {
  store: LayerStore;
  testid: string;
  point?: (rank: number | null) => void;
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
    const listeners = { onpointerenter: () => point(rank), onpointerleave: () => point(null), onclick: () => pick?.(rank) };
    return h("button", { ...properties, ...listeners });
  };
  const columns = PARTS.map((part) => {
    const title = h("div", { class: "dwx-cap" });
    const canvas = h("canvas", { "data-testid": `${testid}-${part}`, role: "img" });
    const tiles = pick ? Array.from({ length: TILES }, (_, rank) => createTile(part, rank)) : [];
    const frame = h("div", { class: "dwx-mosaic" }, canvas, ...tiles);
    return { part, title, canvas, tiles, frame, element: h("div", { class: "dwx-mosaic-column" }, title, frame) };
  });
  const element = h("div", { class: "dwx-two", "data-part": pick ? "mosaics" : null }, ...columns.map((column) => column.element));

  /** Show the mosaics. Return whether both are there as requested. */
  const update = ({ request, side, smallTile, count, rank, describe }: MosaicsContent): boolean => {
    let complete = true;
    for (const { part, title, canvas, tiles, frame, element } of columns) {
      const bitmap = store.mosaic(request, part);
      const refused = part === "projections" && store.refusal(request) !== undefined;
      complete &&= bitmap !== undefined || refused;
      setText(title, part === "patches" ? "Patches" : refused ? `No ${request.rule} projection` : `Projections (${request.rule})`);
      canvas.setAttribute("aria-label", `${title.textContent}, unit ${request.unit} of ${request.layer}`);
      frame.style.width = frame.style.height = `${side}px`;
      element.style.width = `${side}px`; // a longer caption is cut, so that columns are beneath each other
      frame.dataset.sharp = String(bitmap !== undefined);
      frame.dataset.refused = String(refused);
      drawMosaic(canvas, bitmap ?? store.mosaic({ ...request, tile: smallTile }, part), 3 * request.tile + 2 * GAP, refused);
      tiles.forEach((tile, at) => {
        const chosen = at === rank && at < count;
        tile.hidden = at >= count;
        tile.setAttribute("aria-pressed", String(chosen));
        tile.tabIndex = chosen && part === "projections" ? 0 : -1; // one tab stop for all
        const words = describe(at);
        if (tile.title === words) return;
        tile.title = words;
        tile.setAttribute("aria-label", `${part === "patches" ? "Patch" : "Projection"} ${words}`);
      });
    }
    return complete;
  };

  /** Mark the tiles of a rank that is pointed at elsewhere. */
  const highlight = (rank: number | null) => {
    for (const { tiles } of columns) tiles.forEach((tile, at) => void tile.classList.toggle("dwx-pointed", at === rank));
  };
  const focus = (rank: number) => columns[0]?.tiles[rank]?.focus({ preventScroll: false });
  return { element, update, highlight, focus };
}
