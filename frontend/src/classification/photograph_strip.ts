/** A wrapping row of test photographs. */

import { context2d, h, screenReaderText, setText } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { moveFocusInGrid } from "../ui/grid_navigation.ts";
import { isNotebookShortcut } from "../ui/keyboard.ts";
import type { PhotographStore } from "./photograph_store.ts";
import type { TestPhotograph } from "./wire.ts";

/** A test photograph with all folds of the same prediction. */
export type GroupedTest = Omit<TestPhotograph, "fold"> & { folds: number[] };

/** Group the tests of a photograph in several folds by prediction, in order of first occurrence. */
export function groupTests(photographs: TestPhotograph[]): GroupedTest[] {
  const groups = new Map<string, GroupedTest>();
  for (const { fold, ...test } of photographs) {
    const key = `${test.source} ${test.prediction}`;
    const group = groups.get(key);
    const folds = fold === undefined ? [] : [fold];
    if (group) group.folds.push(...folds);
    else groups.set(key, { ...test, folds });
  }
  return [...groups.values()];
}

/** Describe a photograph and its prediction. */
export function describeTest({ name, truth, prediction, confidence, folds }: GroupedTest, categories: string[]): string {
  const confidenceText = confidence === null ? "" : `, ${formatPercent(confidence)}`;
  const verdict =
    truth === prediction ? `${categories[truth]}, predicted correctly` : `${categories[truth]}, predicted ${categories[prediction]}`;
  return [`${verdict}${confidenceText}`, formatFolds(folds), name].filter(Boolean).join(" · ");
}

/** Return "fold 2", "folds 1, 3"; "" without folds. */
export function formatFolds(folds: number[]): string {
  if (!folds.length) return "";
  const numbers = [...folds].sort((a, b) => a - b).map((fold) => fold + 1);
  return `${numbers.length === 1 ? "fold" : "folds"} ${numbers.join(", ")}`;
}

/** Format the confidence and the folds of a test. */
export function formatConfidence({ confidence, folds }: GroupedTest): string {
  return [confidence === null ? "" : formatPercent(confidence), formatFolds(folds)].filter(Boolean).join(" · ");
}

const WHY = "Why this answer? Open the photograph in the OcclusionExplorer (W)";

interface Tile {
  test: GroupedTest;
  canvas: HTMLCanvasElement;
  note: HTMLElement;
  /** What has the keyboard focus. */
  element: HTMLElement;
  /** With the button beside it. */
  whole: HTMLElement;
  painted: boolean;
}

/** Put the button that explains the prediction on a photograph. It has no tab stop: the key W on the photograph does the same. */
function withWhy(tile: HTMLElement, test: GroupedTest, why: (test: GroupedTest) => void): HTMLElement {
  tile.setAttribute("aria-keyshortcuts", "w");
  const properties = { type: "button", class: "dwc-why", tabindex: -1, title: WHY, "data-testid": `why-${test.source}` };
  return h("span", { class: "dwc-tile" }, tile, h("button", { ...properties, onclick: () => why(test) }, "Why?"));
}

/**
 * Create a strip of test photographs.
 * @param caption returns the lines below a photograph
 * @param describe returns the title of a photograph
 * @param pick called with a selected photograph; if omitted, photographs cannot be selected
 * @param why called to explain the prediction of a photograph, by its button or the key W; if omitted, there is no button
 */
export function createPhotographStrip({
  store,
  label,
  testid,
  caption,
  describe,
  pick,
  why,
}: {
  store: PhotographStore;
  label: string;
  testid: string;
  caption: (test: GroupedTest) => (string | Node)[];
  describe: (test: GroupedTest) => string;
  pick?: (test: GroupedTest) => void;
  why?: ((test: GroupedTest) => void) | undefined;
}) {
  let tiles: Tile[] = [];
  let shownKey = "";
  let run = 0;
  const element = h("div", { class: "dwc-strip", role: "group", "aria-label": label, "data-testid": testid });
  const elements = () => tiles.map((tile) => tile.element);
  element.addEventListener("keydown", (event) => {
    const focused = tiles.find((tile) => tile.element === event.target);
    if (why && focused && event.key.toLowerCase() === "w" && !isNotebookShortcut(event)) {
      event.preventDefault();
      event.stopPropagation();
      why(focused.test);
    } else moveFocusInGrid(event, elements());
  });

  const createTile = (test: GroupedTest, index: number): Tile => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const note = h("span", { class: "dwc-note" });
    const lines = caption(test).map((line) => h("span", { class: "dwc-photograph-line" }, line));
    const description = describe(test);
    const verdict = test.truth === test.prediction ? "dwc-is-right" : "dwc-is-wrong";
    const common = { class: `dwc-photograph ${verdict}`, title: description, "data-source": test.source };
    const image = h("span", { class: "dwc-image" }, canvas, note);
    const tile = pick
      ? h(
          "button",
          { type: "button", tabindex: index ? -1 : 0, onclick: () => pick(test), ...common },
          image,
          ...lines,
          screenReaderText(description),
        )
      : h("span", { role: "img", "aria-label": description, tabindex: index ? -1 : 0, ...common }, image, ...lines);
    return { test, canvas, note, element: tile, whole: why ? withWhy(tile, test, why) : tile, painted: false };
  };

  const draw = () => {
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

  const update = (newRun: number, tests: GroupedTest[]) => {
    const key = `${newRun} ${tests.map(({ source, prediction, folds }) => `${source}/${prediction}/${folds.length}`).join(" ")}`;
    if (key !== shownKey) {
      shownKey = key;
      run = newRun;
      tiles = tests.map(createTile);
      element.replaceChildren(...tiles.map((tile) => tile.whole));
    }
    draw();
  };
  return { element, update };
}
