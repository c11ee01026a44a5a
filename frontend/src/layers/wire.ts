/** What a LayerExplorer and its kernel send each other. */
import type { Overview as CommonOverview, EncodedImage } from "../kernel/wire.ts";

export type Rule = "deconvnet" | "gradient" | "guided";
export type Contrast = "tile" | "shared";
export type Sort = "strongest" | "mean" | "selectivity" | "dead" | "index";
export type View = "both" | "projections" | "patches";
export type Part = "projections" | "patches";
export type FigureFile = "layer.png" | "layer.svg" | "layer.html" | "unit.png" | "unit.svg" | "unit.html";

export interface LayerState {
  layer: string;
  /** Null: the first of the order. */
  unit: number | null;
  /** Which of the unit's strongest activations, from 0. */
  rank: number;
  rule: Rule;
  contrast: Contrast;
  view: View;
  sort: Sort;
  filter: string;
  pinned: { layer: string; unit: number } | null;
  /** The unit whose row is at the top of the grid. Null: wherever the chosen unit is visible. */
  scroll: number | null;
}

export interface Layer {
  id: string;
  name: string;
  kind: string;
  channels: number;
  height: number;
  width: number;
  /** [rows, columns] of input pixels. Null: the whole input. */
  receptive_field: [number, number] | null;
  /** Null before the index is complete. */
  dead: number | null;
}

export interface Overview extends CommonOverview {
  layers: Layer[];
}

export type Column = "maximum" | "mean" | "std" | "fires" | "selectivity";

/** `unit_table`. Buffers: float32 (columns, units), int32 (units, k) labels. */
export interface TableReply {
  layer: string;
  units: number;
  k: number;
  columns: Column[];
  categories: Record<string, string>;
}

/** One of a unit's strongest activations. */
export interface Entry {
  source: string;
  label: string | null;
  prediction: string | null;
  probability: number | null;
  value: number;
  row: number;
  column: number;
}

/** `unit_detail`. */
export interface UnitDetail {
  histogram: number[];
  edges: number[];
  entries: Entry[];
}

/** `mosaics`, of a unit's strongest activations; `tile` is a side of one, in pixels. */
export interface MosaicRequest {
  layer: string;
  unit: number;
  rule: Rule;
  contrast: Contrast;
  tile: number;
}

/** Buffers: a image for each of the parts that were asked for. */
export interface ImagesReply {
  images: EncodedImage[];
}

/** `source_image`; `size` is the longer side in pixels. */
export interface SourceRequest {
  layer: string;
  unit: number;
  rank: number;
  size: number;
}

/** Boxes are [left, top, right, bottom] as shares of the image's width and height. Buffer: the image. */
export interface SourceReply {
  images: [EncodedImage];
  /** The receptive field. */
  box: number[] | null;
  /** What the model was shown. */
  crop: number[] | null;
  caption: string;
}
