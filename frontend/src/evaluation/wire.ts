/** Messages between an EvaluationPanel and the kernel. */
import type { ClassViewState } from "../classification/class_results.ts";
import type { DataChoice } from "../classification/data_fields.ts";
import type { Overview, Progress, SkippedImage } from "../kernel/wire.ts";

export type Task = "classification" | "multilabel" | "regression";
export type ResultsTab = "summary" | "confusion" | "classes" | "mistakes" | "changes" | "names";
export type ResultFile = "photographs.csv" | "classes.csv" | "results.png" | "results.svg" | "results.pdf" | "results.html";

/** The names of the model's classes for a class of the image set. */
export type Mapping = Record<string, string[]>;

export interface Settings {
  data: string;
  root: string | null;
  /** At most so many photographs; null: all. */
  limit: number | null;
  mapping: Mapping;
  threshold: number;
  automatic: boolean;
}

export interface EvaluationState extends Settings, ClassViewState {
  /** Null: the newest run. */
  run: number | null;
  /** The run to compare with; null: the complete run before the shown one. */
  before: number | null;
  show: ResultsTab;
  /** The class whose photographs are shown, of a multi-label model. */
  label: number | null;
  /** The output that is shown, of a regression. */
  output: number;
}

/** How a class of the image set is matched with the model's classes. */
export interface ClassMatch {
  name: string;
  photographs: number;
  /** Indices into the model's classes. */
  classes: number[];
  how: "exact" | "case" | "synset" | "table" | "number" | "none";
  candidates: number[];
  problem: string;
}

export interface DataSummary {
  name: string;
  photographs: number;
  labelled: number;
  matched: number;
  task: Task | null;
  /** The model's. */
  classes: string[];
  matches: ClassMatch[];
  problem: string | null;
  notes: string[];
  skipped: SkippedImage[];
}

export interface RunSummary {
  run: number;
  phase: "waiting" | "running" | "done" | "stopped" | "failed";
  dataset: string;
  model: string;
  classifier: string;
  task: Task;
  /** Evaluated so far. */
  photographs: number;
  total: number;
  /** A share; of a regression in the unit of the output. */
  score: number | null;
  score_name: string;
  seconds: number;
  from_cache: boolean;
  progress: Progress | null;
  problem: string | null;
  /** Whether the service's model is still the evaluated one. */
  current: boolean;
}

export interface Status {
  choices: DataChoice[];
  task: Task | null;
  problem: string | null;
  running: number | null;
  runs: RunSummary[];
  /** The two runs to compare, if there are two of the same photographs. */
  before: number | null;
  after: number | null;
}

export interface HelloReply {
  overview: Overview;
  status: Status;
}

/** Accuracy by confidence. Values of empty bins are null. */
export interface Reliability {
  edges: number[];
  counts: number[];
  confidences: (number | null)[];
  accuracies: (number | null)[];
  expected_error: number;
}

interface CommonReply {
  summary: RunSummary;
  notes: string[];
  skipped: SkippedImage[];
  digests: [name: string, digest: string][];
}

/** Buffers: float32 (R,) accuracies, int32 (R,) photographs, int32 (R, R + 1) the confusion matrix. Scores without photographs are null. */
export interface ClassificationReply extends CommonReply {
  task: "classification";
  categories: string[];
  /** For each category, the predicted classes of the model that are no category, with their photographs, most frequent first. */
  others: [name: string, count: number][][];
  accuracy: number | null;
  /** Null for a model with at most five classes. */
  top5: number | null;
  class_accuracy: number | null;
  log_loss: number | null;
  brier: number | null;
  reliability: Reliability;
}

/**
 * Buffers: float32 (R,) average precisions, int32 (R,) photographs, and at the thresholds 1% to 99% int32 (99, R) predicted photographs
 * and int32 (99, R) those of them that have the label.
 */
export interface MultilabelReply extends CommonReply {
  task: "multilabel";
  categories: string[];
  /** The name of the model's class for each category. */
  model_classes: string[];
  mean_average_precision: number | null;
  threshold: number;
}

/** Buffers: int32 (n,) photographs, float32 (n, K) true and float32 (n, K) predicted values. Errors are by output. */
export interface RegressionReply extends CommonReply {
  task: "regression";
  outputs: string[];
  unit: string;
  mean_absolute_error: (number | null)[];
  root_mean_squared_error: (number | null)[];
  r2: (number | null)[];
}

export type RunReply = ClassificationReply | MultilabelReply | RegressionReply;

/** A photograph of a multi-label model. */
export interface LabelledPhotograph {
  source: number;
  name: string;
  /** The probability of the requested class. */
  confidence: number | null;
  labels: number[];
  predicted_labels: number[];
}

/** A photograph of a regression. */
export interface ValuedPhotograph {
  source: number;
  name: string;
  values: number[];
  predicted_values: number[];
}

/** A photograph whose prediction changed between two runs. Probabilities are those of the true class. */
export interface ChangedPhotograph {
  source: number;
  name: string;
  truth: string;
  before: string;
  after: string;
  probability_before: number;
  probability_after: number;
}

/** Two runs compared; accuracies are shares, those of classes without photographs are null. */
export interface Comparison {
  before: RunSummary;
  after: RunSummary;
  photographs: number;
  accuracy_before: number | null;
  accuracy_after: number | null;
  interval: [low: number | null, high: number | null];
  method: string;
  p_value: number | null;
  log_loss_before: number | null;
  log_loss_after: number | null;
  calibration_before: number | null;
  calibration_after: number | null;
  categories: string[];
  class_tests: number[];
  class_before: (number | null)[];
  class_after: (number | null)[];
  /** Classes, the largest change first. */
  gained: number[];
  lost: number[];
  notes: string[];
  now_right: ChangedPhotograph[];
  now_wrong: ChangedPhotograph[];
  now_right_total: number;
  now_wrong_total: number;
  changed_total: number;
}
