import { h, setText } from "./dom.js";
import { percent } from "./format.js";
import { placeAfter } from "./layout.js";
import { Pictures } from "./pictures.js";

/**
 * Test photographs: which there are, and their thumbnails, for all views of a panel that show some.
 *
 * @typedef {object} TestsWanted
 * @property {string} version the run and its state: what was answered for another one does not count
 * @property {number} run
 * @property {number | null} truth
 * @property {number | null} prediction
 * @property {boolean | null} right
 * @property {number} limit
 *
 * @typedef {{source: number, name: string, fold: number, truth: number, prediction: number, confidence: number | null}} TestPhotograph
 * @typedef {{photographs: TestPhotograph[], total: number}} TestsFound
 * @typedef {Omit<TestPhotograph, "fold"> & {folds: number[]}} Grouped one photograph, in all folds that answered the same
 */

const THUMBNAIL_BYTES = 64 * 2 ** 20; // bytes of pixels
const LISTS_KEPT = 300; // kept answers
const THUMBNAIL_BATCH = 24; // thumbnails to a request
const THUMBNAIL_SIDE = 96; // CSS pixels

/** @param {TestsWanted} wanted */
export function testsKey({ version, truth, prediction, right, limit }) {
  return [version, truth, prediction, right, limit].join("|");
}

/**
 * A photograph is tested in several folds: it is shown once for each answer.
 * @param {TestPhotograph[]} photographs
 * @returns {Grouped[]} in the order in which they first occur
 */
export function groupedTests(photographs) {
  /** @type {Map<string, Grouped>} */
  const groups = new Map();
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
  /** @param {{wire: any, ratio?: number, pictures?: Pictures}} options `ratio`: device pixels per CSS pixel */
  constructor({ wire, ratio = window.devicePixelRatio || 1, pictures = new Pictures(THUMBNAIL_BYTES) }) {
    this.wire = wire;
    this.size = Math.round(THUMBNAIL_SIDE * Math.min(2, Math.max(1, ratio)));
    this.pictures = pictures;
    /** @type {Map<string, TestsFound>} the oldest first */
    this.lists = new Map();
    /** @type {Map<string, string>} what failed, and why: not asked for again */
    this.failures = new Map();
    /** @type {Map<string, TestsWanted[]>} for each view what it shows */
    this.wants = new Map();
    /** @type {Set<string>} thumbnails that came since the wants last changed: where they do not all fit, none is fetched again and again */
    this.came = new Set();
    /** @type {Set<string>} those that are asked for by themselves, because a batch with them failed */
    this.alone = new Set();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.busy = false;
    this.wished = false; // since the last look at what is wanted
    this.closed = false;
  }

  /** @param {() => void} listener @returns {() => void} ends it */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close() {
    this.closed = true;
    this.listeners.clear();
    this.wants.clear();
    this.pictures.clear();
  }

  /**
   * What a view shows from now on, most urgent first.
   * @param {string} view @param {TestsWanted[]} wanted
   */
  want(view, wanted) {
    const before = (this.wants.get(view) ?? []).map(testsKey).join(" ");
    if (before === wanted.map(testsKey).join(" ")) return;
    this.wants.delete(view);
    this.wants = new Map([[view, wanted], ...this.wants]); // the newest wish first
    this.came.clear();
    this.failures.clear(); // who comes back tries again
    this.wished = true;
    void this.pump();
  }

  /** @param {TestsWanted} wanted */
  found(wanted) {
    const key = testsKey(wanted);
    return { found: this.lists.get(key), failure: this.failures.get(key) };
  }

  /** @param {number} run @param {number} source */
  key(run, source) {
    return `${run}|${source}|${this.size}`;
  }

  /** @param {number} run @param {number} source */
  picture(run, source) {
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

  /** Ask for one thing. @returns {Promise<boolean>} whether there was something, and it came */
  async step() {
    const wanted = [...this.wants.values()].flat();
    const list = wanted.find((one) => !this.lists.has(testsKey(one)) && !this.failures.has(testsKey(one)));
    if (list) return this.askList(list);
    for (const run of new Set(wanted.map((one) => one.run))) {
      const sources = this.missing(run, wanted.filter((one) => one.run === run));
      if (sources.length) return this.askThumbnails(run, sources);
    }
    return false;
  }

  /** @param {number} run @param {TestsWanted[]} wanted */
  missing(run, wanted) {
    const sources = new Set(wanted.flatMap((one) => this.lists.get(testsKey(one))?.photographs ?? []).map(({ source }) => source));
    const missing = [...sources].filter((source) => {
      const key = this.key(run, source);
      return !this.pictures.has(key) && !this.came.has(key) && !this.failures.has(key);
    });
    const [first] = missing;
    return this.alone.has(this.key(run, first)) ? [first] : missing.filter((source) => !this.alone.has(this.key(run, source))).slice(0, THUMBNAIL_BATCH);
  }

  /** @param {TestsWanted} wanted */
  async askList({ version, run, truth, prediction, right, limit }) {
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

  /** @param {number} run @param {number[]} sources */
  async askThumbnails(run, sources) {
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

/**
 * A row or a field of photographs.
 * @param {object} options
 * @param {PhotographStore} options.store
 * @param {string} options.label
 * @param {string} options.testid
 * @param {(one: Grouped) => (string | Node)[]} options.caption its lines
 * @param {(one: Grouped) => string} options.words all of it, for a pointer that rests and for who cannot see it
 * @param {(one: Grouped) => void} [options.pick]
 */
export function createStrip({ store, label, testid, caption, words, pick }) {
  /** @type {{one: Grouped, canvas: HTMLCanvasElement, note: HTMLElement, element: HTMLElement, painted: boolean}[]} */
  let tiles = [];
  let shown = "";
  let run = 0;
  const element = h("div", { class: "dwt-strip", role: "group", "aria-label": label, "data-testid": testid });
  element.addEventListener("keydown", (event) => moveFocus(event, tiles.map((tile) => tile.element)));

  /** @param {Grouped} one @param {number} at */
  const tileOf = (one, at) => {
    const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-hidden": "true" }));
    const note = h("span", { class: "dwt-note" });
    const lines = caption(one).map((line) => h("span", { class: "dwt-photograph-line" }, line));
    const right = one.truth === one.prediction;
    const common = { class: `dwt-photograph ${right ? "dwt-is-right" : "dwt-is-wrong"}`, title: words(one), "aria-label": words(one), "data-source": one.source };
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

  /** @param {number} ofRun @param {Grouped[]} groups */
  const update = (ofRun, groups) => {
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

/** Arrow keys move among the photographs, of which one is a stop of the tabulator. @param {KeyboardEvent} event @param {HTMLElement[]} tiles */
function moveFocus(event, tiles) {
  const at = tiles.indexOf(/** @type {HTMLElement} */ (event.target));
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

/**
 * Everything about a photograph in a line.
 * @param {Grouped} one @param {string[]} categories
 */
export function photographWords({ name, truth, prediction, confidence, folds }, categories) {
  const answer = truth === prediction ? `${categories[truth]}, as it was taken for` : `${categories[truth]}, taken for ${categories[prediction]}`;
  const sure = confidence === null ? "" : ` with ${percent(confidence)}`;
  return `${answer}${sure} · ${foldWords(folds)} · ${name}`;
}

/** @param {number[]} folds */
export function foldWords(folds) {
  const numbers = [...folds].sort((a, b) => a - b).map((one) => one + 1);
  return `${numbers.length === 1 ? "fold" : "folds"} ${numbers.join(", ")}`;
}
