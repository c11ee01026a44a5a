/** Messages between a widget of two models side by side and the kernel. Requests to one of the two services carry its `side`. */
import type { EncodedImage } from "../kernel/wire.ts";
import type { Contrast, Rule, Tab, TileSize, View } from "../layers/wire.ts";

export type Side = "a" | "b";
export const SIDES: readonly Side[] = ["a", "b"];
export function otherSide(side: Side): Side {
  return side === "a" ? "b" : "a";
}

/** A pair of values: of A, and of B. */
export type Both<Value> = Record<Side, Value>;

export type PairedBy = "match" | "number";
export type PairSort = "difference" | "correlation" | "strongest" | "number";
/** What the right column shows: the pair, or the LayerExplorer's pane of one of its units. */
export type Pane = "pair" | Side;

/** A pinned unit of one of the models. Those of models that are not shown are kept. */
export interface SidePin {
  side: Side;
  model: string;
  layer: string;
  unit: number;
}

export interface PairState {
  layer_a: string;
  layer_b: string;
  /** Null: none. If both are, the first pair in sort order. */
  unit_a: number | null;
  unit_b: number | null;
  paired_by: PairedBy;
  sort: PairSort;
  /** The statuses of the pairs that are shown; empty: all. */
  status: string[];
  rule: Rule;
  contrast: Contrast;
  view: View;
  tile_size: TileSize;
  /** Whose activation is selected, and its rank. */
  side: Side;
  rank: number;
  pane: Pane;
  tab: Tab;
  more: boolean;
  pinned: SidePin[];
}

/** Reply to `hello` without a side. */
export interface PairHello {
  /** The names of the two models. */
  names: [string, string];
  /** The statuses that pairs can have, with what they mean. */
  statuses: [name: string, meaning: string][];
}

export type PairStatus = [a: string | null, b: string | null];
export type Elsewhere = [a: number | null, b: number | null];

/** Request `pairs`. */
export interface PairsRequest {
  layer_a: string;
  layer_b: string;
  paired_by: PairedBy;
}

/** Reply to `pairs`. Buffers: int32 (2, pairs), the units of A and of B, -1 for none; float32 (pairs,), their correlations. */
export interface PairsReply {
  layer_a: string;
  layer_b: string;
  /** By pair: what became of the unit of A, and where that of B comes from. Null without the unit. */
  status: PairStatus[];
  /** By pair: the unit of B that the unit of A is matched to, and the reverse, where that is not its partner. */
  elsewhere: Elsewhere[];
  crops: number;
}

/** A layer of A, and the layer of B beside it. */
export interface LayerMatch {
  layer_a: string;
  layer_b: string;
  cka: number | null;
  /** The median correlation of the matched units. */
  median: number | null;
  /** Units of A that are the same in B, under their own number or another one. */
  kept: number;
  units: number;
}

/** Reply to `similarity`. Buffer: float32 (layers of A, layers of B), linear CKA. */
export interface SimilarityReply {
  layers_a: string[];
  layers_b: string[];
  matches: LayerMatch[];
  crops: number;
  /** What limits the comparison. */
  notes: string[];
}

/** Request `on_crop`: what a unit does on a crop of the image set. `size` is the longer side of the photograph in pixels. */
export interface CropRequest {
  layer: string;
  unit: number;
  crop: number;
  size: number;
}

/** Reply to `on_crop`. Boxes are fractions of the photograph. Buffers: the photograph, and the feature map as float32. */
export interface CropReply {
  images: [EncodedImage];
  box: number[] | null;
  crop: number[] | null;
  caption: string;
  map_shape: [rows: number, cols: number];
  extent: number[];
  value: number;
  row: number;
  column: number;
}
