/** Messages between a DiagnosisPanel and the kernel. Shares and probabilities are from 0 to 1. */
import type { EncodedImage, Overview, Progress } from "../kernel/wire.ts";

export type Phase = "none" | "waiting" | "running" | "done" | "stopped" | "failed";
export type Level = "found" | "near" | "clear" | "not_checked";
export type Sort = "frequency" | "aliasing" | "rms";
export type ReportFile = "report.html" | "report.json" | "report.csv" | "report.png" | "curves.csv";

/** The layers under the shift microscope. */
export type LayerChoice = "few" | "all";

/** A layer and the number of a unit. */
export type UnitName = [layer: string, unit: number];

export interface DiagnosisState {
  /** A check; null: the first one. */
  finding: string | null;
  sort: Sort;
  /** Whose evidence is shown; null: the worst of the finding. */
  unit: UnitName | null;
  /** "crop:17", or the id of an upload. */
  image: string;
  /** In pixels of the model's input. */
  shift: [right: number, down: number];
  layers: LayerChoice;
  /** 0: the network as it is. */
  arm: number;
}

export interface UnitEvidence {
  layer: string;
  unit: number;
  value: number;
  text: string;
}

export interface Surgery {
  label: string;
  function: string;
  arguments: Record<string, unknown>;
}

export interface Finding {
  check: string;
  level: Level;
  title: string;
  count_text: string;
  summary: string;
  evidence: string;
  paper: string;
  units: UnitEvidence[];
  surgeries: Surgery[];
}

/** What is aliased of the first layer's map where it is subsampled. Shares are means over the units; null for constant maps. */
export interface MapAliasing {
  layer: string;
  /** By how much it is subsampled. */
  stride: [rows: number, columns: number];
  blurred: boolean;
  mean: number | null;
  /** Of the same map before the blur. */
  unblurred_mean: number | null;
  photographs: number;
}

/** The filters of the first convolution. Values of filters of zeros are null. Frequencies are in cycles per pixel. */
export interface FirstLayer {
  name: string;
  alias: string;
  kernel_size: [number, number];
  stride: [number, number];
  bands: [number, number];
  /** Means over the filters. */
  mean_shares: [number, number, number];
  noise_shares: [number, number, number];
  /** The share of the energy in each bin, as the mean over the filters. */
  histogram: number[];
  /** The part of each share that is above, along an axis, what the stride carries along it. */
  histogram_above: number[];
  edges: number[];
  /** The highest frequency that the stride carries along an axis. */
  carried: number;
  aliased_mean: number | null;
  photographs: number;
  centre: (number | null)[];
  /** Of low, middle and high frequencies. */
  shares: [number | null, number | null, number | null][];
  /** Of its response; after a blur, of its map. */
  aliased: (number | null)[];
  /** Null if it is not known. */
  map_aliasing: MapAliasing | null;
  /** Over the median. */
  rms_ratio: number[];
}

/** A batch norm, and how far the statistics of its input are from what training recorded. */
export interface NormDivergence {
  name: string;
  /** In the order of execution, from 1. */
  place: number;
  divergence: number;
}

/** A way to prepare photographs, and the accuracy with it. */
export interface InputWay {
  label: string;
  top1: number;
  /** Null with fewer than six classes. */
  top5: number | null;
  /** Whether it is the present one. */
  given: boolean;
  /** Whether it is better than the present one, beyond chance. */
  better: boolean;
}

export interface InputCheck {
  /** Of the divergences. */
  photographs: number;
  /** Those that diverge most, the worst first. */
  norms: NormDivergence[];
  /** The number of all. */
  norm_count: number;
  /** The photographs of the ways. */
  labelled: number;
  /** The best first; empty without labels. */
  ways: InputWay[];
}

export interface Diagnosis {
  model: string;
  images: string;
  photographs: number;
  shift_photographs: number;
  units: number;
  findings: Finding[];
  first_layer: FirstLayer | null;
  input: InputCheck;
  notes: string[];
}

export interface Curves {
  layers: string[];
  strides: number[];
  /** The deepest feature map, whose change is the finding's; one of `layers`. */
  deepest: string;
  shifts: number[];
  direction: string;
  /** By layer and shift; null without an active unit. */
  changes: (number | null)[][];
  /** By shift; null if the model predicts no probabilities. */
  probability: (number | null)[];
  reference: "label" | "predicted";
  photographs: number;
  /** If not 0, `probability` is the mean over this many photographs. */
  labelled: number;
  /** The number of photographs on which edge pixels are repeated. */
  filled: number;
}

export interface Arm {
  arm: number;
  label: string;
  parent: number | null;
  /** What was done, in words. */
  steps: string[];
  kept: number;
  cut: number;
  new: number;
  phase: Phase;
  progress: Progress | null;
  problem: string | null;
  curves: Curves | null;
  accuracy: { top1: number; photographs: number } | null;
  no_accuracy: string;
  aliasing: MapAliasing | null;
  /** Why it is not known. */
  no_aliasing: string;
}

export interface Status {
  version: number;
  phase: Phase;
  progress: Progress | null;
  problem: string | null;
  /** Whether the diagnosed model is still the service's. */
  current: boolean;
  arms: Arm[];
  /** Null without an arm that surgery made. */
  ablation: AblationCode | null;
  /** Uploaded images, newest first. */
  uploads: string[];
}

/** Lines of Python that train the arms alike. */
export interface AblationCode {
  /** What they do and need; or why there are none. */
  note: string;
  code: string;
}

export interface HelloReply {
  overview: Overview & { layers: string[] };
  status: Status;
}

/** Buffer: the filters below each other. */
export interface FiltersReply {
  images: [EncodedImage];
  tile: number;
  count: number;
}

/** Buffer: float32 (side, side). */
export interface SpectrumReply {
  side: number;
  carried: number;
}

/** Buffer: the photograph with its margin. */
export interface PhotographReply {
  image: string;
  caption: string;
  label: string | null;
  width: number;
  height: number;
  margin: number;
  /** Rows and columns of the margin that repeat edge pixels. */
  filled: [left: number, top: number, right: number, bottom: number];
  images: [EncodedImage];
}

export interface ShiftedLayer {
  layer: string;
  unit: number;
  stride: number;
  before: number;
  after: number;
  /** The median relative change of all active units; null if none is. */
  change: number | null;
  /** [1, 1] for a fully connected layer. */
  map_shape: [rows: number, cols: number];
}

export interface ShiftedClass {
  name: string;
  before: number;
  after: number;
  reference: "label" | "predicted";
  /** The most probable class after the shift. */
  now: string;
}

/** Buffers: for each layer float32 (2, rows, cols), before and after. */
export interface ShiftedReply {
  request: { image: string; right: number; down: number; arm: number; layers: LayerChoice };
  layers: ShiftedLayer[];
  predicted: ShiftedClass | null;
  /** The number of layers of each choice; the same if the network has few layers. */
  few: number;
  total: number;
}

export interface ImagesReply {
  images: EncodedImage[];
}
