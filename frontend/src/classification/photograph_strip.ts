/** A wrapping row of labelled photographs. */
import { context2d, h, screenReaderText, setText } from "../ui/dom.ts";
import { moveFocusInGrid } from "../ui/grid_navigation.ts";
import { isNotebookShortcut } from "../ui/keyboard.ts";
import { createWhyButton } from "../ui/why_button.ts";
import type { CacheEntry } from "./photograph_store.ts";

interface Tile<Photograph> {
  photograph: Photograph;
  canvas: HTMLCanvasElement;
  note: HTMLElement;
  /** What has the keyboard focus. */
  element: HTMLElement;
  /** With the button beside it. */
  whole: HTMLElement;
  painted: boolean;
}

/** Put the button that explains the prediction on a photograph. It has no tab stop: the key W on the photograph does the same. */
function withWhy(tile: HTMLElement, source: number, why: () => void): HTMLElement {
  tile.setAttribute("aria-keyshortcuts", "w");
  const button = createWhyButton({ testid: `why-${source}`, key: "W", ask: why });
  button.tabIndex = -1;
  return h("span", { class: "dwc-tile" }, tile, button);
}

export interface StripOptions<Photograph> {
  store: { thumbnail: (run: number, source: number) => CacheEntry<ImageBitmap> };
  label: string;
  testid: string;
  /** Returns the lines below a photograph. */
  caption: (photograph: Photograph) => (string | Node)[];
  /** Returns the title of a photograph. */
  describe: (photograph: Photograph) => string;
  /** Returns whether the prediction is right; null if that cannot be said. */
  isRight: (photograph: Photograph) => boolean | null;
  /** Returns what identifies a photograph and its caption. */
  keyOf: (photograph: Photograph) => string;
  /** Called with a selected photograph; if omitted, photographs cannot be selected. */
  pick?: ((photograph: Photograph) => void) | undefined;
  /** Called to explain the prediction of a photograph, by its button or the key W; if omitted, there is no button. */
  why?: ((photograph: Photograph) => void) | undefined;
}

const VERDICTS = new Map([
  [true, " dwc-is-right"],
  [false, " dwc-is-wrong"],
]);

/** Create a strip of photographs. */
export function createPhotographStrip<Photograph extends { source: number }>(options: StripOptions<Photograph>) {
  const { store, label, testid, caption, describe, isRight, keyOf, pick, why } = options;
  let tiles: Tile<Photograph>[] = [];
  let shownKey = "";
  let run = 0;
  const element = h("div", { class: "dwc-strip", role: "group", "aria-label": label, "data-testid": testid });
  const elements = () => tiles.map((tile) => tile.element);
  element.addEventListener("keydown", (event) => {
    const focused = tiles.find((tile) => tile.element === event.target);
    if (why && focused && event.key.toLowerCase() === "w" && !isNotebookShortcut(event)) {
      event.preventDefault();
      event.stopPropagation();
      why(focused.photograph);
    } else moveFocusInGrid(event, elements());
  });

  const createTile = (photograph: Photograph, index: number): Tile<Photograph> => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const note = h("span", { class: "dwc-note" });
    const lines = caption(photograph).map((line) => h("span", { class: "dwc-photograph-line" }, line));
    const description = describe(photograph);
    const verdict = VERDICTS.get(isRight(photograph) as boolean) ?? "";
    const common = { class: `dwc-photograph${verdict}`, title: description, "data-source": photograph.source };
    const image = h("span", { class: "dwc-image" }, canvas, note);
    const tile = pick
      ? h(
          "button",
          { type: "button", tabindex: index ? -1 : 0, onclick: () => pick(photograph), ...common },
          image,
          ...lines,
          screenReaderText(description),
        )
      : h("span", { role: "img", "aria-label": description, tabindex: index ? -1 : 0, ...common }, image, ...lines);
    const whole = why ? withWhy(tile, photograph.source, () => why(photograph)) : tile;
    return { photograph, canvas, note, element: tile, whole, painted: false };
  };

  const draw = () => {
    for (const tile of tiles) {
      if (tile.painted) continue;
      const { value: bitmap, error } = store.thumbnail(run, tile.photograph.source);
      setText(tile.note, error ? "not readable" : "");
      if (error) tile.element.title = error;
      if (!bitmap) continue;
      Object.assign(tile.canvas, { width: bitmap.width, height: bitmap.height });
      context2d(tile.canvas).drawImage(bitmap, 0, 0);
      tile.painted = true;
      tile.element.dataset.painted = "true";
    }
  };

  const update = (newRun: number, photographs: Photograph[]) => {
    const key = `${newRun} ${photographs.map(keyOf).join(" ")}`;
    if (key !== shownKey) {
      shownKey = key;
      run = newRun;
      tiles = photographs.map(createTile);
      element.replaceChildren(...tiles.map((tile) => tile.whole));
    }
    draw();
  };
  return { element, update };
}
