/** What an OcclusionExplorer and its kernel send each other. Positions are [row, column] in pixels of the model's input. */
import { AskingWire, GREETING, SENT_ONCE } from "../kernel/client.ts";
import type { WidgetModel } from "../kernel/model.ts";
import type { Overview, PictureInfo } from "../kernel/wire.ts";
import type { Point } from "./geometry.ts";

// A map's news is short and rare; the patch under the mouse comes right after it, and before all that may wait.
const OCCLUSION_KINDS = ["hello", "stop", "scene", "grid", "patch", "maps", "head", "upload", "chart", "images", "projections", "file"];
const OCCLUSION_ASIDE = ["images", "projections", "file"];
const OCCLUSION_PATIENCE = {
  hello: GREETING,
  projections: { timeout: 60000, attempts: 1 },
  ...Object.fromEntries(["head", "upload", "file"].map((kind) => [kind, SENT_ONCE])),
};

/** What a view of an OcclusionExplorer asks of the kernel. */
export class OcclusionWire extends AskingWire {
  /** @param model anywidget's */
  constructor(model: WidgetModel, listeners: ConstructorParameters<typeof AskingWire>[2]) {
    super(model, { kinds: OCCLUSION_KINDS, aside: OCCLUSION_ASIDE, patience: OCCLUSION_PATIENCE }, listeners);
  }
}

export type MapName = "probability" | "activity" | "label";
export type Tab = "maps" | "chart" | "images";

export interface OcclusionState {
  image: string;
  layer: string | null;
  unit: number | null;
  target: string | null;
  fill: string;
  window: Point;
  patches: Point[];
  stride: Point;
  border: "inside" | "same";
  map: MapName;
  overlay: number;
  tab: Tab;
}

/** What is occluded, and what is looked at; null: the kernel's choice. */
export interface Wanted {
  image: string;
  layer: string | null;
  unit: number | null;
  target: number | null;
  fill: string;
}

/** The same with all choices made. */
export interface DefiniteWanted extends Wanted {
  layer: string;
  unit: number;
}

export interface LayerInfo {
  id: string;
  channels: number;
  height: number;
  width: number;
}

export interface HelloReply {
  overview: Overview;
  layers: LayerInfo[];
  classes: string[] | null;
  classifier: string | null;
  index_ready: boolean;
  shipped_head: boolean;
  input: Point;
  colours: boolean;
}

/** A class and its probability without and with the patches. */
export interface Share {
  label: number;
  name: string;
  before: number;
  now: number;
}

/** Buffers: the picture, the fill, float32 values of the feature map. */
export interface SceneReply {
  scene: {
    wanted: DefiniteWanted;
    caption: string;
    label: string | null;
    input: Point;
    classes: Share[];
    activity: number;
    map: Point;
    strongest: number[];
    note: string;
    pictures: [PictureInfo, PictureInfo];
  };
}

/** Buffer: float32 values of the feature map. */
export interface PatchReply {
  classes: Share[];
  activity: number;
  map: Point;
}

export interface Unoccluded {
  probability: number | null;
  label: number | null;
  label_probability: number | null;
  activity: number;
}

/** Buffers: float32 activity and probability, int32 label, float32 label probability; each (rows, cols). */
export interface GridReply {
  run: number;
  done: number;
  total: number;
  complete: boolean;
  rows: number;
  cols: number;
  target: number | null;
  layer: string;
  unit: number;
  unoccluded: Unoccluded;
  window: Point;
  stride: Point;
  border: string;
  method: string;
  origin: Point;
  names: Record<string, string>;
  colours: Record<string, string>;
  has: { probability: boolean };
}

export interface Projection {
  caption: string;
  own: boolean;
  value: number;
  pictures: [PictureInfo, PictureInfo];
}

/** Buffers: for each entry the projection, then the patch. */
export interface ProjectionsReply {
  entries: Projection[];
}
