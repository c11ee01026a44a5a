import { Refusal } from "../kernel/client.ts";
import { blob, floats } from "../kernel/buffers.ts";
import { readGrid } from "./map_grid.ts";
import { NewestOnly } from "../kernel/latest.ts";
import { SILENCE } from "../kernel/queue.ts";
import { errorWords } from "../ui/explorer_view.ts";
import type { OcclusionWire } from "./wire.ts";
import type { Grid } from "./map_grid.ts";
import type { WireAnswer } from "../kernel/client.ts";

export type Scene = {
  wanted: any;
  caption: string;
  label: string | null;
  classes: any[];
  activity: number;
  map: [number, number];
  strongest: number[];
  note: string;
  picture: ImageBitmap;
  fill: ImageBitmap;
  values: Float32Array;
  range: [number, number];
};

const SETTLED_AFTER = 350; // ms: a slider is still being drawn
const NEWS_APART = 250; // ms between two looks at a map that grows
const PROJECTION_SIDE = 240; // pixels: as large as they are shown when one is looked at closely

/**
 * What is asked of an image besides its patches: the image as it is, its maps as they grow, and the projections; each once for each
 * question, and again when the question is another one.
 */
export class OcclusionScenes {
  wire: OcclusionWire;
  told: {
    scene: (scene: Scene) => void;
    grid: (grid: Grid) => void;
    projections: (entries: any[], buffers: DataView[]) => void;
    refused: (words: string) => void;
    waits: () => void;
    failed: (words: string) => void;
  };
  /** what is shown */
  scene: Scene | null;
  /** the same, unless another one is on its way */
  current: Scene | null;
  grid: Grid | null;
  run: number | null;
  stopped: boolean;
  stale: boolean;
  keys: { scene: string; maps: string; projections: string };
  /** what a silent kernel was asked */
  lost: Set<"scene" | "maps" | "projections">;
  timer: number;
  newsTimer: number;
  looked: number;
  grids: NewestOnly<number>;

  constructor(
    wire: OcclusionWire,
    told: {
      scene: (scene: Scene) => void;
      grid: (grid: Grid) => void;
      projections: (entries: any[], buffers: DataView[]) => void;
      /** why there are no projections */
      refused: (words: string) => void;
      /** other projections are on their way */
      waits: () => void;
      failed: (words: string) => void;
    },
  ) {
    this.wire = wire;
    this.told = told;
    this.scene = null;
    this.current = null;
    this.grid = null;
    this.run = null;
    this.stopped = false;
    this.stale = true; // whether the grid answers another question
    this.keys = { scene: "", maps: "", projections: "" };
    this.lost = new Set();
    this.timer = 0;
    this.newsTimer = 0;
    this.looked = 0;
    this.grids = new NewestOnly({
      ask: (run: number) => wire.ask("grid", { run }),
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
   * @param version of the service
   * @param target the class's number
   */
  follow(state: any, version: number, target: number | null) {
    const { image, layer, unit, fill } = state;
    const wanted = { image, layer, unit, target, fill };
    const key = JSON.stringify([version, wanted]);
    if (key !== this.keys.scene) void this.loadScene(key, wanted);
    else if (this.current) {
      this.askMaps(state, version, this.current.wanted);
      void this.askProjections(version, this.current.wanted);
    }
  }

  async loadScene(key: string, wanted: any) {
    this.keys.scene = key;
    this.current = null;
    try {
      const answer = await this.wire.ask("scene", { wanted });
      if (!answer || key !== this.keys.scene) return;
      const { scene } = answer.content;
      const [picture, fill] = await Promise.all([0, 1].map((at) => decodePicture(answer.buffers[at], scene.pictures[at].mime)));
      if (key !== this.keys.scene) return;
      const values = floats(answer.buffers[2]);
      this.scene = this.current = { ...scene, picture, fill, values, range: rangeOfUnit(values) };
      this.told.scene(this.scene);
    } catch (error) {
      if (key === this.keys.scene) this.miss("scene", error);
    }
  }

  miss(what: "scene" | "maps" | "projections", error: unknown) {
    const words = errorWords(error);
    if (words === SILENCE) this.lost.add(what);
    else this.told.failed(words);
  }

  askMaps({ window, stride, border }: any, version: number, wanted: any) {
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

  async beginMaps(key: string, wanted: any, settings: any) {
    try {
      const answer = await this.wire.ask("maps", { wanted, settings });
      if (!answer || key !== this.keys.maps) return;
      this.run = answer.content.run;
      this.looked = performance.now();
      this.grids.want(this.run as number);
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
    this.newsTimer = globalThis.setTimeout(
      () => {
        this.newsTimer = 0;
        if (!this.grows) return;
        this.looked = performance.now();
        this.grids.want(this.run as number);
      },
      Math.max(0, NEWS_APART - (performance.now() - this.looked)),
    );
  }

  gridCame({ content, buffers }: WireAnswer, run: number) {
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

  async askProjections(version: number, wanted: any) {
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

/** From 0, or the lowest value where that is below, to the highest of a feature map. */
export function rangeOfUnit(values: Float32Array): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const high = values.reduce((most, value) => Math.max(most, value), 0);
  return [low, low === 0 && high === 0 ? 1 : high];
}

async function decodePicture(data: DataView, mime: string) {
  try {
    return await createImageBitmap(blob(data, mime));
  } catch (error) {
    throw new Error(`The picture cannot be decoded: ${errorWords(error)}`);
  }
}
