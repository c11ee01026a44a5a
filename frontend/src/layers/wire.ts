/** What a LayerExplorer and its kernel send each other. */
import type { Overview as CommonOverview, PictureInfo } from "../kernel/wire.ts";

export type Rule = "deconvnet" | "gradient" | "guided";
export type Contrast = "tile" | "shared";
export type Sort = "strongest" | "mean" | "selectivity" | "dead" | "index";
export type View = "both" | "projections" | "patches";
export type Part = "projections" | "patches";

export interface LayerState {
  layer: string;
  /** null: the first of the order */
  unit: number | null;
  rank: number;
  rule: Rule;
  contrast: Contrast;
  view: View;
  sort: Sort;
  filter: string;
  pinned: { layer: string; unit: number } | null;
  /** the unit whose row is at the top of the grid; null: wherever the chosen unit is visible */
  scroll: number | null;
}

export interface Layer {
  id: string;
  name: string;
  kind: string;
  channels: number;
  height: number;
  width: number;
  /** its receptive field as [rows, columns] of input pixels; null: the whole input */
  sees: [number, number] | null;
  /** dead units; null before the index is complete */
  dead: number | null;
}

export interface Overview extends CommonOverview {
  layers: Layer[];
}

/** Buffers: float32 (columns, units), int32 (units, k) labels. */
export interface TableReply {
  layer: string;
  units: number;
  k: number;
  columns: Column[];
  categories: Record<string, string>;
}

export type Column = "maximum" | "mean" | "std" | "fires" | "selectivity";

export interface Entry {
  source: string;
  label: string | null;
  prediction: string | null;
  probability: number | null;
  value: number;
  row: number;
  column: number;
}

export interface UnitDetail {
  histogram: number[];
  edges: number[];
  entries: Entry[];
}

/** Buffers: a picture each. */
export interface PicturesReply {
  pictures: PictureInfo[];
}

/** Boxes are [left, top, right, bottom] as shares of the picture's width and height. Buffer: the picture. */
export interface SourceReply extends PicturesReply {
  box: number[] | null;
  shown: number[] | null;
  caption: string;
}
