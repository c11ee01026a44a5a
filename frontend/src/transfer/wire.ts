/** Messages between a TransferPanel and the kernel. Classes are indices into `categories`. */
import type { ClassViewState } from "../classification/class_results.ts";
import type { DataChoice } from "../classification/data_fields.ts";
import type { Overview, Progress, SkippedImage } from "../kernel/wire.ts";

export type Crops = "one" | "flips" | "ten";
export type ChartTab = "training" | "curve";
export type ResultsTab = "summary" | "confusion" | "classes" | "mistakes";
export type ResultFile =
  | "photographs.csv"
  | "classes.csv"
  | "calibration.csv"
  | "results.png"
  | "results.svg"
  | "results.pdf"
  | "results.html";

/** The data and the training settings. */
export interface Settings {
  data: string;
  root: string | null;
  layer: string | null;
  images_per_class: number;
  folds: number;
  /** Null: chosen on held-out training images. */
  weight_decay: number | null;
  views: Crops;
  seed: number;
  curve: boolean;
}

export interface TransferState extends Settings, ClassViewState {
  /** Null: the newest run. */
  run: number | null;
  compare: number | null;
  tab: ChartTab;
  show: ResultsTab;
}

export interface DataSummary {
  name: string;
  photographs: number;
  categories: string[];
  sizes: number[];
  /** The maximum number of training images per class that leaves a test image in each class. */
  most: number;
  problem: string | null;
  notes: string[];
  skipped: SkippedImage[];
}

export interface PaperRow {
  description: string;
  mean: number;
  std: number | null;
}

/** How well the probabilities of a run agree with how often it is correct. */
export interface Calibration {
  text: string;
  /** The expected calibration error, a fraction. */
  error: number;
  log_loss: number | null;
}

/** A run; accuracies are fractions. */
export interface RunSummary {
  run: number;
  phase: "waiting" | "features" | "training" | "curve" | "done" | "stopped" | "failed";
  dataset: string;
  layer: string;
  images_per_class: number;
  /** The requested number of folds. */
  folds: number;
  weight_decay: number | null;
  views: string;
  /** The accuracies of completed folds. */
  per_fold: number[];
  weight_decays: number[];
  temperatures: number[];
  /** The expected calibration error on the test photographs; null before the first fold. */
  calibration: Calibration | null;
  features: string;
  seconds: number;
  steps: number;
  progress: Progress | null;
  problem: string | null;
  curve: object | null;
  paper: PaperRow[];
  /** 0 if unknown. */
  classes: number;
  mean: number | null;
  std: number | null;
}

export interface Status {
  choices: DataChoice[];
  layers: [name: string, description: string][];
  running: number | null;
  runs: RunSummary[];
  classifier: string | null;
  /** The run whose head is in use. */
  used: number | null;
  can_undo: boolean;
}

export interface HelloReply {
  overview: Overview;
  status: Status;
}

/** Reply to `run`. Buffers: float32 (classes,) accuracies, int32 (classes,) tests, int32 (classes, classes) confusion matrix. */
export interface RunReply {
  summary: RunSummary;
  categories: string[];
  skipped: SkippedImage[];
  has_confidences: boolean;
}

/** The training of a classifier: accuracies in percent, and the loss, by step; null breaks a line. */
export interface TrainingLine {
  steps: (number | null)[];
  loss: (number | null)[];
  train: (number | null)[];
  held_out: (number | null)[];
}

/** Reply to `training`. Candidates are those of the newest fold, in the search for the weight decay. */
export interface TrainingReply {
  fold: number | null;
  final_fold: number | null;
  final: TrainingLine;
  earlier: TrainingLine[];
  candidates: (TrainingLine & { weight_decay: number })[];
}
