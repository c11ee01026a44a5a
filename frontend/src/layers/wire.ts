/** Messages between a LayerExplorer and the kernel. */
import type { Overview as CommonOverview, EncodedImage, Progress } from "../kernel/wire.ts";

export type Rule = "deconvnet" | "gradient" | "guided" | "extended";
export type Contrast = "tile" | "shared";
export type Sort = "strongest" | "mean" | "selectivity" | "dead" | "index" | "contribution" | ColumnSort;
/** Orders by columns of the complete index. */
export type ColumnSort = "peaks" | "purity" | "copies";
/** Which activations of the selected unit are shown. */
export type Tab = "strongest" | "range" | "negative";
export type Display = "grid" | "map";
export type MapMethod = "auto" | "pca" | "tsne" | "umap";
export type MapColour = "selectivity" | "purity" | "maximum";
export type TileSize = "small" | "medium" | "large";
export type View = "both" | "projections" | "patches";
export type Part = "projections" | "patches";
export type FigureFile = `${"layer" | "unit" | "pinned" | "layers"}.${"png" | "svg" | "pdf" | "html"}`;

/** A pinned unit. Those of other models are kept, but cannot be shown. */
export interface Pin {
  model: string;
  layer: string;
  unit: number;
}

export interface LayerState {
  layer: string;
  /** Null: the first unit in sort order. */
  unit: number | null;
  /** The rank of the selected activation, from 0. */
  rank: number;
  rule: Rule;
  contrast: Contrast;
  view: View;
  tile_size: TileSize;
  sort: Sort;
  /** The name of the class that the order by contributions refers to. */
  target: string | null;
  filter: string;
  /** A condition on the columns of the units, such as "selectivity > 5". */
  where: string;
  tab: Tab;
  /** Whether all strongest activations of the index are shown in place of nine. */
  more: boolean;
  display: Display;
  map_method: MapMethod;
  map_colour: MapColour;
  /** The units that were selected on the map. Null: none are, and all are shown. */
  selected_units: number[] | null;
  pinned: Pin[];
  bookmarks: Bookmark[];
  /** A unit of the top row of the grid. Null: scrolled to the selected unit. */
  scroll: number | null;
}

export interface Layer {
  id: string;
  name: string;
  /** All dotted names of the layer. */
  names: string[];
  /** The name of the convolution whose map it is. */
  convolution: string | null;
  kind: string;
  channels: number;
  height: number;
  width: number;
  /** [rows, columns] in input pixels. Null: the whole input. */
  receptive_field: [number, number] | null;
  /** Null while there is no index of the layer. */
  dead: number | null;
  /** Whether a unit of the layer or below it is switched off or scaled. */
  changed: boolean;
}

export interface Overview extends CommonOverview {
  layers: Layer[];
  /** Other layers that were opened. */
  opened: Layer[];
}

export type Column = "maximum" | "mean" | "std" | "activation_rate" | "selectivity";

/** Reply to `unit_table`. Buffers: float32 (columns, units), int32 (units, k) labels, uint32 (units,) fingerprints. */
export interface TableReply {
  layer: string;
  units: number;
  k: number;
  columns: Column[];
  categories: Record<string, string>;
  /** The number of crops so far; null if the index is complete. */
  crops: number | null;
  start: StartUnit[];
  /** The number of strongest activations in the index, of which k are listed. */
  stored: number;
}

/** A unit to start with, and why. */
export interface StartUnit {
  unit: number;
  reason: string;
}

export type Bookmark = [layer: string, unit: number];

/** One of the strongest activations of a unit. */
export interface Entry {
  /** The number of the crop. */
  image: number;
  source: string;
  label: string | null;
  prediction: string | null;
  probability: number | null;
  value: number;
  row: number;
  column: number;
}

/** Reply to `unit_detail`. */
export interface UnitDetail {
  histogram: number[];
  edges: number[];
  entries: Entry[];
}

/** Request `mosaics`. `tile` is the side of a tile in pixels. */
export interface MosaicRequest {
  layer: string;
  unit: number;
  rule: Rule;
  contrast: Contrast;
  tile: number;
}

/** Reply to `mosaics`. Buffers: the image of each requested part. */
export interface ImagesReply {
  images: EncodedImage[];
}

/** Request `source_image`. `size` is the longer side in pixels. */
export interface SourceRequest {
  layer: string;
  unit: number;
  rank: number;
  size: number;
}

/** Reply to `source_image`. Boxes are [left, top, right, bottom] as fractions of the image's width and height. Buffer: the image. */
export interface SourceReply {
  images: [EncodedImage];
  /** The receptive field. */
  box: number[] | null;
  /** The input of the model. */
  crop: number[] | null;
  caption: string;
}

/** Request `enlarged`. `size` is the longer side of a picture in pixels. */
export interface EnlargeRequest extends Omit<MosaicRequest, "tile"> {
  rank: number;
  size: number;
}

/** Reply to `enlarged`. Buffers: the patch, the feature map as float32, and the projection unless the rule cannot be applied. */
export interface EnlargedReply {
  images: EncodedImage[];
  rejection_reason: string;
  map_shape: [rows: number, cols: number];
  /** The area that the map covers: [left, top, right, bottom] as fractions of the model's input. */
  extent: number[];
  value: number;
}

/** What is built of the index, and what was cancelled, by layers. */
export interface IndexState {
  building: string[];
  cancelled: string[];
  progress: Progress | null;
}

/** Reply to `unit_columns`. Buffers: float32 (columns, units), in the order of `numbers`. */
export interface ColumnsReply {
  numbers: string[];
  units: number;
  /** The columns that a filter may name, with their meanings. */
  columns: [name: string, meaning: string][];
  samples: number;
}

/** One activation of a unit. */
export interface Place {
  image: number;
  source: string;
  label: string | null;
  value: number;
  row: number;
  column: number;
  /** Whether there is something to project. */
  projected: boolean;
}

export interface PlaceGroup {
  low: number;
  high: number;
  /** Of the crops. Null: the group is no part of a distribution. */
  share: number | null;
  places: Place[];
}

/** Reply to `places`. */
export interface Places {
  tab: Tab;
  groups: PlaceGroup[];
  crops: number;
  note: string;
}

/** The activations of a unit that a tab shows. */
export interface PlacesRequest {
  layer: string;
  unit: number;
  tab: Tab;
}

/** Request `place_pictures`. */
export interface PicturesRequest extends PlacesRequest {
  rule: Rule;
  tile: number;
}

/** Reply to `place_pictures`. Buffers: the patch of each number, followed by its projection if it has one. */
export interface PicturesReply {
  pictures: { images: EncodedImage[]; reason: string }[];
}
