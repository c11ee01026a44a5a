/** Messages between an OcclusionExplorer and the kernel. Positions are [row, column] in pixels of the model's input. */
import type { EncodedImage, Overview, Quantity } from "../kernel/wire.ts";
import type { Box, Point } from "./geometry.ts";

export type MapName = "probability" | "value" | "activity" | "label";
export type ValueMap = Exclude<MapName, "label"> | "against" | "difference";
export type Tab = "maps" | "chart" | "why" | "images";
export type OcclusionFile = "figure.png" | "figure.svg" | "figure.pdf" | "figure.html" | "maps.npz";

export interface OcclusionState {
  image: string;
  /** Null: the last layer. */
  layer: string | null;
  /** Null: the strongest feature map of the image. */
  unit: number | null;
  /** The name of a class, or of an output of a regression. Null: the predicted class, or the first output. */
  target: string | null;
  /** What the target is compared with. Null: the true class, or the most probable other one; nothing outside of the tab "why". */
  against: string | null;
  fill: string;
  window: Point;
  /** The centres of the patches. */
  patches: Point[];
  stride: Point;
  border: "inside" | "same";
  /** The map of the overlay and the chart. */
  map: MapName;
  /** The opacity of the overlay, from 0 to 1. */
  overlay: number;
  tab: Tab;
}

/** An image, a feature map, a target class and a fill. Null: selected by the kernel. */
export interface OcclusionRequest {
  image: string;
  layer: string | null;
  unit: number | null;
  target: number | null;
  fill: string;
  against: number | "auto" | null;
}

/** A request with the layer and the unit that the kernel has selected. */
export interface ResolvedRequest extends OcclusionRequest {
  layer: string;
  unit: number;
  against: number | null;
}

/** Request `patch`. */
export interface PatchRequest {
  request: ResolvedRequest;
  boxes: Box[];
}

export type MapSettings = Pick<OcclusionState, "window" | "stride" | "border">;

export interface LayerInfo {
  id: string;
  channels: number;
  height: number;
  width: number;
}

export interface HelloReply {
  overview: Overview;
  layers: LayerInfo[];
  /** The names of the classes, or of a regression's outputs; null if the model predicts nothing. */
  classes: string[] | null;
  /** Whether the bundled classifier is available. */
  bundled_head: boolean;
  /** Whether patches can be filled with a colour. */
  colours: boolean;
}

/** A class and its probability, or an output of a regression and its value, without and with the patches. */
export interface ClassScore {
  label: number;
  name: string;
  before: number;
  now: number;
  /** With the patches and all units on; null if no unit is switched off. */
  unchanged?: number | null;
}

/** Reply to `scene`. Buffers: the image, the fill, float32 values of the feature map. */
export interface SceneReply {
  scene: {
    request: ResolvedRequest;
    caption: string;
    label: string | null;
    classes: ClassScore[];
    activity: number;
    map_shape: Point;
    strongest: number[];
    note: string;
    /** The class that the label names, if it is one of the model's. */
    truth: number | null;
    images: [EncodedImage, EncodedImage];
  };
}

/** Reply to `patch`. Buffer: float32 values of the feature map. */
export interface PatchReply {
  classes: ClassScore[];
  activity: number;
  map_shape: Point;
}

/** The results without a patch. */
export interface Unoccluded {
  probability: number | null;
  label: number | null;
  label_probability: number | null;
  activity: number;
  /** Of the target output of a regression. */
  value: number | null;
  /** The probability or value of the class that the target is compared with. */
  against: number | null;
}

/** Reply to `maps`. Buffers: float32 activity and scores, int32 label, float32 label probability and scores of `against`; each (rows, cols). */
export interface MapsReply {
  run: number;
  done: number;
  total: number;
  complete: boolean;
  rows: number;
  cols: number;
  target: number | null;
  against: number | null;
  layer: string;
  unit: number;
  unoccluded: Unoccluded;
  window: Point;
  stride: Point;
  border: string;
  method: string;
  /** The centre of the first window. */
  origin: Point;
  /** The names of the labels that occur. */
  names: Record<string, string>;
  colours: Record<string, string>;
  has_classes: boolean;
  /** What the scores are. Null: there are none. */
  quantity: Quantity | null;
}

/** A projection of a strong activation of the feature map, in this image or another. */
export interface Projection {
  caption: string;
  own: boolean;
  value: number;
  /** The receptive field in pixels of the model's input. */
  box: Box;
  /** The projection, the patch, and the model's input. */
  images: [EncodedImage, EncodedImage, EncodedImage];
  map_shape: Point;
  /** The area that the map covers: [left, top, right, bottom] as fractions of the model's input. */
  extent: number[];
}

/** Reply to `projections`. Buffers of each entry: the projection, the patch, the model's input, and the feature map as float32. */
export interface ProjectionsReply {
  entries: Projection[];
}
