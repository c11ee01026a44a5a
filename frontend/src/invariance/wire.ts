/** Messages of the kernel to an InvarianceExplorer, and its state. */
import type { Hello } from "../kernel/store.ts";
import type { EncodedImage, Quantity } from "../kernel/wire.ts";

export type Measure = "relative" | "distance";
export type Tab = "units" | "images";

export interface InvarianceState {
  /** Those with a curve. */
  images: string[];
  /** The one that is shown. */
  image: string;
  transform: string;
  amount: number;
  /** Those with a chart. */
  layers: string[];
  /** Whose strongest units are shown. */
  layer: string;
  measure: Measure;
  tab: Tab;
}

/** A transformation. */
export interface Transform {
  name: string;
  label: string;
  unit: string;
  amounts: number[];
  /** The amount that changes nothing; of a JPEG file the highest quality. */
  neutral: number;
  whole: boolean;
  low: number;
  high: number;
}

export interface HelloReply extends Hello {
  layers: string[];
  transforms: Transform[];
  fill: string;
  predicts: "probability" | "value" | "";
}

export interface StrongUnit {
  unit: number;
  value: number;
  /** Its maximum in the photograph as it is. */
  before: number;
  /** Its place there, from 0. */
  rank: number;
}

export interface ClassScore {
  label: number;
  name: string;
  now: number;
  before: number;
}

/** Reply to `view`. Buffers: the photograph as it is, and the transformed one. */
export interface ViewReply {
  view: {
    caption: string;
    images: [EncodedImage, EncodedImage];
    distances: number[];
    relative: (number | null)[];
    layer: string;
    units: StrongUnit[];
    /** How many of the units are among as many strongest ones of the photograph as it is. */
    kept: number;
    classes: ClassScore[];
    quantity: Quantity | null;
    labelled: boolean;
    note: string;
  };
}

export interface PhotographCurves {
  name: string;
  target: string | null;
  /** Whether the target is the photograph's label. */
  labelled: boolean;
  /** The score of the photograph as it is. */
  unchanged: number | null;
  norms: number[];
  picture: [height: number, width: number];
  amounts: number[];
  layers: string[];
}

/** Reply to `curves`. Buffers: distances float32 (layers, amounts), scores float32 (amounts,), the picture uint8 (h, w, 3). */
export interface CurvesReply {
  curves: PhotographCurves;
}

/** Reply to `unit_pictures`. Buffers of each unit: the projection, empty without one, and the patch. */
export interface UnitPicturesReply {
  units: { unit: number; projection: EncodedImage | null; patch: EncodedImage; reason: string }[];
}

export type InvarianceFile = "curves.png" | "curves.svg" | "curves.pdf" | "curves.html" | "curves.csv";
