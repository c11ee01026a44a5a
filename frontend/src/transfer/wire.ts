import { AskingWire, GREETING, SENT_ONCE } from "../kernel/client.ts";
import type { Overview, Progress, SkippedPicture } from "../kernel/wire.ts";
import type { WidgetModel } from "../kernel/model.ts";

const TRANSFER_KINDS = [
  "hello",
  "stop",
  "start",
  "status",
  "use",
  "undo",
  "load",
  "save",
  "data",
  "run",
  "photographs",
  "thumbnails",
  "chart",
  "file",
  "upload",
];
const TRANSFER_PATIENCE = {
  hello: GREETING,
  ...Object.fromEntries(["start", "use", "undo", "load", "save", "file", "upload"].map((kind) => [kind, SENT_ONCE])),
};

/** What a view of a TransferPanel asks of the kernel. */
export class TransferWire extends AskingWire {
  /** @param model anywidget's */
  constructor(model: WidgetModel, listeners: ConstructorParameters<typeof AskingWire>[2]) {
    super(model, { kinds: TRANSFER_KINDS, patience: TRANSFER_PATIENCE }, listeners);
  }
}

export interface TransferState {
  data: string;
  root: string | null;
  layer: string | null;
  images_per_class: number;
  folds: number;
  weight_decay: number | null;
  views: string;
  seed: number;
  curve: boolean;
  run: number | null;
  compare: number | null;
  tab: string;
  show: string;
  cell: [number, number] | null;
  sort: string;
  order: string;
}

export interface DataChoice {
  data: string;
  words: string;
  hint: string;
}

export interface DataSummary {
  name: string;
  photographs: number;
  categories: string[];
  sizes: number[];
  most: number;
  problem: string | null;
  notes: string[];
  skipped: SkippedPicture[];
}

export interface PaperRow {
  words: string;
  mean: number;
  std: number | null;
}

export interface RunSummary {
  run: number;
  phase: "waiting" | "features" | "training" | "curve" | "done" | "stopped" | "failed";
  dataset: string;
  layer: string;
  images_per_class: number;
  folds: number;
  weight_decay: number | null;
  views: string;
  per_fold: number[];
  weight_decays: number[];
  features: string;
  seconds: number;
  steps: number;
  progress: Progress | null;
  problem: string | null;
  curve: object | null;
  paper: PaperRow[];
  mean: number | null;
  std: number | null;
}

export interface Status {
  choices: DataChoice[];
  layers: [string, string][];
  running: number | null;
  runs: RunSummary[];
  classifier: string | null;
  used: number | null;
  can_undo: boolean;
}

export interface HelloReply {
  overview: Overview;
  status: Status;
}

/** Buffers: float32 (classes,) accuracies, int32 (classes,) tests, int32 (classes, classes) confusion matrix. */
export interface RunReply {
  summary: RunSummary;
  categories: string[];
  skipped: SkippedPicture[];
  has_confidences: boolean;
}

export interface TestPhotograph {
  source: number;
  name: string;
  fold: number;
  truth: number;
  prediction: number;
  confidence: number | null;
}

export interface PhotographsReply {
  photographs: TestPhotograph[];
  total: number;
}
