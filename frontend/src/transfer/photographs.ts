import { h, setText } from "../ui/dom.ts";
import { percent } from "../ui/format.ts";
import { placeAfter } from "../layers/grid_layout.ts";
import { Pictures } from "../kernel/bitmap_cache.ts";
import type { TransferWire, PhotographsReply } from "./wire.ts";

export interface TestsWanted {
  /** the run and its state: what was answered for another one does not count */
  version: string;
  run: number;
  truth: number | null;
  prediction: number | null;
  right: boolean | null;
  limit: number;
}

export type TestPhotograph = { source: number; name: string; fold: number; truth: number; prediction: number; confidence: number | null };

export type TestsFound = { photographs: TestPhotograph[]; total: number };

/** one photograph, in all folds that answered the same */
export type Grouped = Omit<TestPhotograph, "fold"> & { folds: number[] };

/** Test photographs: which there are, and their thumbnails, for all views of a panel that show some. */

const THUMBNAIL_BYTES = 64 * 2 ** 20; // bytes of pixels
const LISTS_KEPT = 300; // kept answers
const THUMBNAIL_BATCH = 24; // thumbnails to a request
const THUMBNAIL_SIDE = 96; // CSS pixels

export function testsKey({ version, truth, prediction, right, limit }: TestsWanted) {
  return [version, truth, prediction, right, limit].join("|");
}

/**
 * A photograph is tested in several folds: it is shown once for each answer.
 * @returns in the order in which they first occur
 */
export function groupedTests(photographs: TestPhotograph[]): Grouped[] {
  const groups: Map<string, Grouped> = new Map();
  for (const { fold, ...one } of photographs) {
    const key = `${one.source} ${one.prediction}`;
    const group = groups.get(key);
    if (group) group.folds.push(fold);
    else groups.set(key, { ...one, folds: [fold] });
  }
  return [...groups.values()];
}

/** What is asked for and kept. One request at a time, and what is wanted now goes first; nothing is fetched twice. */
export class PhotographStore {
  wire: TransferWire;
  size: number;
  pictures: Pictures;
  /** the oldest first */
  lists: Map<string, TestsFound>;
  /** what failed, and why: not asked for again */
  failures: Map<string, string>;
  /** for each view what it shows */
  wants: Map<string, TestsWanted[]>;
  /** thumbnails that came since the wants last changed: where they do not all fit, none is fetched again and again */
  came: Set<string>;
  /** those that are asked for by themselves, because a batch with them failed */
  alone: Set<string>;
  listeners: Set<() => void>;
  busy: boolean;
  wished: boolean;
  closed: boolean;

  /** @param options `ratio`: device pixels per CSS pixel */
  constructor({
    wire,
    ratio = window.devicePixelRatio || 1,
    pictures = new Pictures(THUMBNAIL_BYTES),
  }: { wire: TransferWire; ratio?: number; pictures?: Pictures }) {
    this.wire = wire;
    this.size = Math.round(THUMBNAIL_SIDE * Math.min(2, Math.max(1, ratio)));
    this.pictures = pictures;
    this.lists = new Map();
    this.failures = new Map();
    this.wants = new Map();
    this.came = new Set();
    this.alone = new Set();
    this.listeners = new Set();
    this.busy = false;
    this.wished = false; // since the last look at what is wanted
    this.closed = false;
  }

  /** @returns ends it */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close() {
    this.closed = true;
    this.listeners.clear();
    this.wants.clear();
    this.pictures.clear();
  }

  /** What a view shows from now on, most urgent first. */
  want(view: string, wanted: TestsWanted[]) {
    const before = (this.wants.get(view) ?? []).map(testsKey).join(" ");
    if (before === wanted.map(testsKey).join(" ")) return;
    this.wants.delete(view);
    this.wants = new Map([[view, wanted], ...this.wants]); // the newest wish first
    this.came.clear();
    this.failures.clear(); // who comes back tries again
    this.wished = true;
    void this.pump();
  }

  found(wanted: TestsWanted) {
    const key = testsKey(wanted);
    return { found: this.lists.get(key), failure: this.failures.get(key) };
  }

  key(run: number, source: number) {
    return `${run}|${source}|${this.size}`;
  }

  picture(run: number, source: number) {
    const key = this.key(run, source);
    return { bitmap: this.pictures.get(key), failure: this.failures.get(key) };
  }

  async pump() {
    if (this.busy) return;
    this.busy = true;
    try {
      let came = true;
      while (!this.closed && (came || this.wished)) {
        this.wished = false;
        came = await this.step();
        if (came) for (const listener of this.listeners) listener();
      }
    } finally {
      this.busy = false;
    }
  }

  /**
   * Ask for one thing.
   * @returns whether there was something, and it came
   */
  async step(): Promise<boolean> {
    const wanted = [...this.wants.values()].flat();
    const list = wanted.find((one) => !this.lists.has(testsKey(one)) && !this.failures.has(testsKey(one)));
    if (list) return this.askList(list);
    for (const run of new Set(wanted.map((one) => one.run))) {
      const sources = this.missing(
        run,
        wanted.filter((one) => one.run === run),
      );
      if (sources.length) return this.askThumbnails(run, sources);
    }
    return false;
  }

  missing(run: number, wanted: TestsWanted[]) {
    const sources = new Set(wanted.flatMap((one) => this.lists.get(testsKey(one))?.photographs ?? []).map(({ source }) => source));
    const missing = [...sources].filter((source) => {
      const key = this.key(run, source);
      return !this.pictures.has(key) && !this.came.has(key) && !this.failures.has(key);
    });
    const [first] = missing;
    return this.alone.has(this.key(run, first))
      ? [first]
      : missing.filter((source) => !this.alone.has(this.key(run, source))).slice(0, THUMBNAIL_BATCH);
  }

  async askList({ version, run, truth, prediction, right, limit }: TestsWanted) {
    const key = testsKey({ version, run, truth, prediction, right, limit });
    const asked = Object.entries({ truth, prediction, right }).filter(([, value]) => value !== null);
    try {
      const answer = await this.wire.ask("photographs", { run, ...Object.fromEntries(asked), limit }, { key: "photographs" });
      if (!answer) return false;
      this.lists.set(key, answer.content);
    } catch (error) {
      this.failures.set(key, error instanceof Error ? error.message : String(error));
    }
    for (const oldest of this.lists.keys()) {
      if (this.lists.size <= LISTS_KEPT) break;
      this.lists.delete(oldest);
    }
    return true;
  }

  async askThumbnails(run: number, sources: number[]) {
    const keys = sources.map((source) => this.key(run, source));
    try {
      const answer = await this.wire.ask("thumbnails", { run, sources, size: this.size }, { key: "thumbnails" });
      if (!answer) return false;
      const { pictures } = answer.content;
      await Promise.all(keys.map((key, at) => this.pictures.decode(key, answer.buffers[at], pictures[at].mime)));
      for (const key of keys) this.came.add(key);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      for (const key of keys) keys.length > 1 ? this.alone.add(key) : this.failures.set(key, words);
    }
    return true;
  }
}

/** A row or a field of photographs. */
export function createStrip({
  store,
  label,
  testid,
  caption,
  words,
  pick,
}: {
  store: PhotographStore;
  label: string;
  testid: string;
  /** its lines */
  caption: (one: Grouped) => (string | Node)[];
  /** all of it, for a pointer that rests and for who cannot see it */
  words: (one: Grouped) => string;
  pick?: (one: Grouped) => void;
}) {
  let tiles: { one: Grouped; canvas: HTMLCanvasElement; note: HTMLElement; element: HTMLElement; painted: boolean }[] = [];
  let shown = "";
  let run = 0;
  const element = h("div", { class: "dwt-strip", role: "group", "aria-label": label, "data-testid": testid });
  element.addEventListener("keydown", (event) =>
    moveFocus(
      event,
      tiles.map((tile) => tile.element),
    ),
  );

  const tileOf = (one: Grouped, at: number) => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const note = h("span", { class: "dwt-note" });
    const lines = caption(one).map((line) => h("span", { class: "dwt-photograph-line" }, line));
    const right = one.truth === one.prediction;
    const common = {
      class: `dwt-photograph ${right ? "dwt-is-right" : "dwt-is-wrong"}`,
      title: words(one),
      "aria-label": words(one),
      "data-source": one.source,
    };
    const picture = h("span", { class: "dwt-picture" }, canvas, note);
    const tile = pick
      ? h("button", { type: "button", tabindex: at ? -1 : 0, onclick: () => pick(one), ...common }, picture, ...lines)
      : h("span", { role: "img", ...common }, picture, ...lines);
    return { one, canvas, note, element: tile, painted: false };
  };

  const paint = () => {
    for (const tile of tiles) {
      if (tile.painted) continue;
      const { bitmap, failure } = store.picture(run, tile.one.source);
      setText(tile.note, failure ? "not readable" : "");
      if (failure) tile.element.title = failure;
      if (!bitmap) continue;
      Object.assign(tile.canvas, { width: bitmap.width, height: bitmap.height });
      tile.canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
      tile.painted = true;
      tile.element.dataset.painted = "true";
    }
  };

  const update = (ofRun: number, groups: Grouped[]) => {
    const key = `${ofRun} ${groups.map((one) => `${one.source}/${one.prediction}/${one.folds.length}`).join(" ")}`;
    if (key !== shown) {
      shown = key;
      run = ofRun;
      tiles = groups.map(tileOf);
      element.replaceChildren(...tiles.map((tile) => tile.element));
    }
    paint();
  };
  return { element, update };
}

/** Arrow keys move among the photographs, of which one is a stop of the tabulator. */
function moveFocus(event: KeyboardEvent, tiles: HTMLElement[]) {
  const at = tiles.indexOf(event.target as HTMLElement);
  if (at < 0) return;
  const columns = Math.max(1, tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length);
  const next = placeAfter(event.key, at, columns, tiles.length);
  if (next === null) return;
  event.preventDefault();
  event.stopPropagation();
  tiles[at].tabIndex = -1;
  tiles[next].tabIndex = 0;
  tiles[next].focus();
}

/** Everything about a photograph in a line. */
export function photographWords({ name, truth, prediction, confidence, folds }: Grouped, categories: string[]) {
  const answer =
    truth === prediction ? `${categories[truth]}, as it was taken for` : `${categories[truth]}, taken for ${categories[prediction]}`;
  const sure = confidence === null ? "" : ` with ${percent(confidence)}`;
  return `${answer}${sure} · ${foldWords(folds)} · ${name}`;
}

export function foldWords(folds: number[]) {
  const numbers = [...folds].sort((a, b) => a - b).map((one) => one + 1);
  return `${numbers.length === 1 ? "fold" : "folds"} ${numbers.join(", ")}`;
}
