/** A row or field of test photographs. */
import { context2d, h, screenReaderText, setText } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { moveFocusInGrid } from "../ui/grid_navigation.ts";
import type { PhotographStore } from "./photograph_store.ts";
import type { TestPhotograph } from "./wire.ts";

/** A test photograph in all folds that predicted the same. */
export type GroupedTest = Omit<TestPhotograph, "fold"> & { folds: number[] };

/** Return each photograph once for each prediction, in the order in which they first occur: it is tested in several folds. */
export function groupTests(photographs: TestPhotograph[]): GroupedTest[] {
  const groups = new Map<string, GroupedTest>();
  for (const { fold, ...test } of photographs) {
    const key = `${test.source} ${test.prediction}`;
    const group = groups.get(key);
    if (group) group.folds.push(fold);
    else groups.set(key, { ...test, folds: [fold] });
  }
  return [...groups.values()];
}

/** Describe a photograph and its prediction. */
export function describeTest({ name, truth, prediction, confidence, folds }: GroupedTest, categories: string[]): string {
  const certainty = confidence === null ? "" : `, ${formatPercent(confidence)}`;
  const verdict =
    truth === prediction ? `${categories[truth]}, predicted correctly` : `${categories[truth]}, predicted ${categories[prediction]}`;
  return `${verdict}${certainty} · ${formatFolds(folds)} · ${name}`;
}

export function formatFolds(folds: number[]): string {
  const numbers = [...folds].sort((a, b) => a - b).map((fold) => fold + 1);
  return `${numbers.length === 1 ? "fold" : "folds"} ${numbers.join(", ")}`;
}

/** Return how sure the classifier was, and in which folds. */
export function formatConfidence({ confidence, folds }: GroupedTest): string {
  return confidence === null ? formatFolds(folds) : `${formatPercent(confidence)} · ${formatFolds(folds)}`;
}

interface Tile {
  test: GroupedTest;
  canvas: HTMLCanvasElement;
  note: HTMLElement;
  element: HTMLElement;
  painted: boolean;
}

/**
 * @param caption returns the lines below a photograph
 * @param describe returns its title
 * @param pick called with a photograph that is chosen; without it, none can be
 */
export function createPhotographStrip({
  store,
  label,
  testid,
  caption,
  describe,
  pick,
}: {
  store: PhotographStore;
  label: string;
  testid: string;
  caption: (test: GroupedTest) => (string | Node)[];
  describe: (test: GroupedTest) => string;
  pick?: (test: GroupedTest) => void;
}) {
  let tiles: Tile[] = [];
  let shown = "";
  let run = 0;
  const element = h("div", { class: "dwt-strip", role: "group", "aria-label": label, "data-testid": testid });
  const elements = () => tiles.map((tile) => tile.element);
  element.addEventListener("keydown", (event) => moveFocusInGrid(event, elements()));

  const createTile = (test: GroupedTest, at: number): Tile => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const note = h("span", { class: "dwt-note" });
    const lines = caption(test).map((line) => h("span", { class: "dwt-photograph-line" }, line));
    const words = describe(test);
    const verdict = test.truth === test.prediction ? "dwt-is-right" : "dwt-is-wrong";
    const common = { class: `dwt-photograph ${verdict}`, title: words, "data-source": test.source };
    const image = h("span", { class: "dwt-image" }, canvas, note);
    const tile = pick
      ? h(
          "button",
          { type: "button", tabindex: at ? -1 : 0, onclick: () => pick(test), ...common },
          image,
          ...lines,
          screenReaderText(words),
        )
      : h("span", { role: "img", "aria-label": words, tabindex: at ? -1 : 0, ...common }, image, ...lines);
    return { test, canvas, note, element: tile, painted: false };
  };

  const paint = () => {
    for (const tile of tiles) {
      if (tile.painted) continue;
      const { value: bitmap, error } = store.thumbnail(run, tile.test.source);
      setText(tile.note, error ? "not readable" : "");
      if (error) tile.element.title = error;
      if (!bitmap) continue;
      Object.assign(tile.canvas, { width: bitmap.width, height: bitmap.height });
      context2d(tile.canvas).drawImage(bitmap, 0, 0);
      tile.painted = true;
      tile.element.dataset.painted = "true";
    }
  };

  const update = (ofRun: number, tests: GroupedTest[]) => {
    const key = `${ofRun} ${tests.map((one) => `${one.source}/${one.prediction}/${one.folds.length}`).join(" ")}`;
    if (key !== shown) {
      shown = key;
      run = ofRun;
      tiles = tests.map(createTile);
      element.replaceChildren(...elements());
    }
    paint();
  };
  return { element, update };
}
