/** Messages of the kernel that all widgets have in common. */

export interface Progress {
  job: string;
  done: number;
  /** 0 if unknown */
  total: number;
  /** items per second */
  rate: number;
  message: string;
}

/** An encoded image. Its bytes are a buffer of the message. */
export interface EncodedImage {
  mime: string;
  width: number;
  height: number;
}

export interface SkippedImage {
  name: string;
  reason: string;
}

/** What a model predicts. */
export interface Quantity {
  kind: "probability" | "value";
  task: string;
  activation: string;
  /** The unit of a regression's values; "" without one. */
  unit: string;
}

/** The model and its images. */
export interface Overview {
  /** changes with the state of the service; data of other versions is outdated */
  version: number;
  model: string;
  weights: string;
  trained: boolean;
  classifier: string | null;
  /** Null if it predicts nothing. */
  quantity: Quantity | null;
  images: string;
  photographs: number;
  /** crops of the photographs */
  crops: number;
  skipped: SkippedImage[];
  /** number of strongest activations stored per unit */
  k: number;
  device: string;
  /** The name of the service's machine, if the notebook runs on another one; else empty. */
  host?: string;
  index_ready: boolean;
  notes: string[];
  /** Those that are switched off or scaled, in the order of the layers. */
  units: UnitFactor[];
}

/** A unit whose map is multiplied by a factor: 0 switches it off. */
export interface UnitFactor {
  layer: string;
  unit: number;
  factor: number;
}

/** A message to all views, not a reply to a request. */
export interface ServiceEvent {
  event:
    | "progress"
    | "partial"
    | "changed"
    | "failed"
    | "transfer"
    | "occlusion"
    | "evaluation"
    | "diagnosis"
    | "contributions"
    | "training"
    | "ablation"
    | "evolution"
    | "comparison"
    | "summary"
    | "show";
  progress: Progress | null;
  message: string;
  /** The layers whose index is built. */
  layers?: string[];
  /** Of "show": to be sent back by the view that is shown. */
  token?: string;
}
