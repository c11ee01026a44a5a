import { Refusal } from "./asking_wire.js";
import { aligned } from "./buffers.js";
import { readGrid } from "./occlusion_grid.js";
import { NewestOnly } from "./occlusion_wire.js";
import { SILENCE } from "./queue.js";
import { errorWords } from "./view.js";

const SETTLED_AFTER = 350; // ms: a slider is still being drawn
const NEWS_APART = 250; // ms between two looks at a map that grows
const PROJECTION_SIDE = 240; // pixels: as large as they are shown when one is looked at closely

/**
 * What is asked of an image besides its patches: the image as it is, its maps as they grow, and the projections; each once for each
 * question, and again when the question is another one.
 *
 * @typedef {{wanted: any, caption: string, label: string | null, classes: any[], activity: number, map: [number, number],
 *   strongest: number[], note: string, picture: ImageBitmap, fill: ImageBitmap, values: Float32Array, range: [number, number]}} Scene
 */
export class OcclusionScenes {
  /**
   * @param {import("./occlusion_wire.js").OcclusionWire} wire
   * @param {object} told
   * @param {(scene: Scene) => void} told.scene
   * @param {(grid: import("./occlusion_grid.js").Grid) => void} told.grid
   * @param {(entries: any[], buffers: DataView[]) => void} told.projections
   * @param {(words: string) => void} told.refused why there are no projections
   * @param {() => void} told.waits other projections are on their way
   * @param {(words: string) => void} told.failed
   */
  constructor(wire, told) {
    this.wire = wire;
    this.told = told;
    /** @type {Scene | null} what is shown */
    this.scene = null;
    /** @type {Scene | null} the same, unless another one is on its way */
    this.current = null;
    /** @type {import("./occlusion_grid.js").Grid | null} */
    this.grid = null;
    this.run = /** @type {number | null} */ (null);
    this.stopped = false;
    this.stale = true; // whether the grid answers another question
    this.keys = { scene: "", maps: "", projections: "" };
    /** @type {Set<"scene" | "maps" | "projections">} what a silent kernel was asked */
    this.lost = new Set();
    this.timer = 0;
    this.newsTimer = 0;
    this.looked = 0;
    this.grids = new NewestOnly({
      ask: (/** @type {number} */ run) => wire.ask("grid", { run }),
      draw: (answer, run) => this.gridCame(answer, run),
      failed: (error) => told.failed(errorWords(error)),
    });
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.newsTimer);
    this.grids.drop();
  }

  /** The kernel speaks again: what it was asked in vain is asked once more. */
  retry() {
    for (const what of this.lost) this.keys[what] = "";
    this.lost.clear();
    this.news();
  }

  /**
   * Ask for what the state wants and is not there.
   * @param {any} state @param {number} version of the service @param {number | null} target the class's number
   */
  follow(state, version, target) {
    const { image, layer, unit, fill } = state;
    const wanted = { image, layer, unit, target, fill };
    const key = JSON.stringify([version, wanted]);
    if (key !== this.keys.scene) void this.loadScene(key, wanted);
    else if (this.current) {
      this.askMaps(state, version, this.current.wanted);
      void this.askProjections(version, this.current.wanted);
    }
  }

  /** @param {string} key @param {any} wanted */
  async loadScene(key, wanted) {
    this.keys.scene = key;
    this.current = null;
    try {
      const answer = await this.wire.ask("scene", { wanted });
      if (!answer || key !== this.keys.scene) return;
      const { scene } = answer.content;
      const [picture, fill] = await Promise.all([0, 1].map((at) => decodePicture(answer.buffers[at], scene.pictures[at].mime)));
      if (key !== this.keys.scene) return;
      const values = new Float32Array(aligned(answer.buffers[2]));
      this.scene = this.current = { ...scene, picture, fill, values, range: rangeOfUnit(values) };
      this.told.scene(this.scene);
    } catch (error) {
      if (key === this.keys.scene) this.miss("scene", error);
    }
  }

  /** @param {"scene" | "maps" | "projections"} what @param {unknown} error */
  miss(what, error) {
    const words = errorWords(error);
    if (words === SILENCE) this.lost.add(what);
    else this.told.failed(words);
  }

  /** @param {any} state @param {number} version @param {any} wanted */
  askMaps({ window, stride, border }, version, wanted) {
    const settings = { window, stride, border };
    const key = JSON.stringify([version, wanted, settings]);
    if (key === this.keys.maps) return;
    const first = !this.keys.maps.startsWith(JSON.stringify([version, wanted]).slice(0, -1));
    this.keys.maps = key;
    this.stale = true;
    this.stopped = false;
    clearTimeout(this.timer);
    this.timer = globalThis.setTimeout(() => void this.beginMaps(key, wanted, settings), first ? 0 : SETTLED_AFTER);
  }

  /** @param {string} key @param {any} wanted @param {any} settings */
  async beginMaps(key, wanted, settings) {
    try {
      const answer = await this.wire.ask("maps", { wanted, settings });
      if (!answer || key !== this.keys.maps) return;
      this.run = answer.content.run;
      this.looked = performance.now();
      this.grids.want(/** @type {number} */ (this.run));
    } catch (error) {
      if (key !== this.keys.maps) return;
      this.miss("maps", error);
      this.stopped = !this.lost.has("maps");
    }
  }

  /** Whether there is more to come of the run. */
  get grows() {
    return this.run !== null && !(this.grid?.complete && this.grid.run === this.run);
  }

  /** A run has something new. */
  news() {
    if (this.newsTimer || !this.grows) return;
    this.newsTimer = globalThis.setTimeout(() => {
      this.newsTimer = 0;
      if (!this.grows) return;
      this.looked = performance.now();
      this.grids.want(/** @type {number} */ (this.run));
    }, Math.max(0, NEWS_APART - (performance.now() - this.looked)));
  }

  /** @param {import("./asking_wire.js").WireAnswer} answer @param {number} run */
  gridCame({ content, buffers }, run) {
    if (run !== this.run || !content.done) return;
    this.grid = readGrid(content, buffers);
    this.stale = false;
    if (this.grid.complete) this.stopped = false;
    this.told.grid(this.grid);
  }

  async stop() {
    if (this.run === null) return;
    this.stopped = true;
    await this.wire.ask("stop", { run: this.run });
    this.grids.want(this.run);
  }

  /** After a stop: the same question once more. */
  goOn() {
    this.stopped = false;
    this.keys.maps = "";
  }

  /** @param {number} version @param {any} wanted */
  async askProjections(version, wanted) {
    const key = JSON.stringify([version, wanted.image, wanted.layer, wanted.unit]);
    if (key === this.keys.projections) return;
    this.keys.projections = key;
    this.told.waits();
    try {
      const answer = await this.wire.ask("projections", { wanted, size: PROJECTION_SIDE });
      if (answer && key === this.keys.projections) this.told.projections(answer.content.entries, answer.buffers);
    } catch (error) {
      if (key !== this.keys.projections) return;
      if (error instanceof Refusal) this.told.refused(error.message);
      else this.miss("projections", error);
    }
  }
}

/** From 0, or the lowest value where that is below, to the highest of a feature map. @param {Float32Array} values @returns {[number, number]} */
export function rangeOfUnit(values) {
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const high = values.reduce((most, value) => Math.max(most, value), 0);
  return [low, low === 0 && high === 0 ? 1 : high];
}

/** @param {DataView} data @param {string} mime */
async function decodePicture(data, mime) {
  try {
    return await createImageBitmap(new Blob([/** @type {BlobPart} */ (data)], { type: mime }));
  } catch (error) {
    throw new Error(`The picture cannot be decoded: ${errorWords(error)}`);
  }
}
