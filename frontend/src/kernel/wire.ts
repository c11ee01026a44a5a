/** What every widget's kernel sends: JSON beside buffers. */

export interface Progress {
  job: string;
  done: number;
  /** 0 where it is not known yet */
  total: number;
  /** items per second */
  rate: number;
  message: string;
}

/** An encoded image, whose bytes come as a buffer. */
export interface EncodedImage {
  mime: string;
  width: number;
  height: number;
}

export interface SkippedImage {
  name: string;
  reason: string;
}

/** The model and its images. */
export interface Overview {
  /** changes with the service's state: what was fetched before is outdated */
  version: number;
  model: string;
  weights: string;
  trained: boolean;
  classifier: string | null;
  images: string;
  photographs: number;
  /** crops of the photographs */
  crops: number;
  skipped: SkippedImage[];
  /** strongest activations kept for each unit */
  k: number;
  device: string;
  index_ready: boolean;
  notes: string[];
}

/** Sent to all views, without a request. */
export interface ServiceEvent {
  event: "progress" | "changed" | "failed" | "transfer" | "occlusion";
  progress: Progress | null;
  message: string;
}
