/** Messages between the TrainingPanel and the kernel. */
import type { Progress } from "../kernel/wire.ts";
import type { RateStep } from "../ui/rate_step.ts";

export interface TrainingState {
  accuracy: "error" | "accuracy";
  layers: LayerMeasure;
}

export type LayerMeasure = "ratio" | "weights" | "updates";

export type Phase = "new" | "running" | "stopping" | "finished" | "cancelled" | "failed" | "interrupted" | "recorded";

export interface RecipePart {
  name: string;
  value: string;
  on: boolean;
  /** "changed": the paper has another value; "ours": it says nothing. */
  source: "paper" | "changed" | "ours";
  /** The paper's value in words; empty if it says nothing. */
  paper: string;
}

/** What is trained on what; null: not known. */
export interface Plan {
  model: string;
  images: string | null;
  training: number | null;
  validation: number | null;
  classes: string[];
  parameters: number | null;
  input_size: [channels: number, height: number, width: number] | null;
  pretrained: boolean;
  /** 0: not known */
  epochs: number;
  recipe: RecipePart[];
}

export interface TrainingProgress {
  epoch: number;
  epochs: number;
  step: number;
  steps: number;
  loss: number | null;
  top1: number | null;
  learning_rate: number | null;
  images_per_second: number | null;
  seconds_left: number | null;
  process: number;
  host: string;
}

export interface Status {
  folder: string;
  phase: Phase;
  plan: Plan | null;
  progress: TrainingProgress | null;
  /** in the log */
  epochs: number;
  /** changes with the log */
  version: number;
  checkpoints: number[];
  message: string;
  can_start: boolean;
  can_cancel: boolean;
  /** Whether a start goes on with what is in the folder. */
  resumes: boolean;
  /** Lines that run as they are. */
  code: [purpose: string, code: string][];
  /** How far the photographs are decoded, before the first step; null for a training that runs elsewhere. */
  preparation: Progress | null;
  /** The aliases of layers, such as conv1, by dotted name. */
  layer_names: [name: string, alias: string][];
}

export type Column =
  | "train_loss"
  | "train_top1"
  | "train_top5"
  | "validation_loss"
  | "validation_top1"
  | "validation_top5"
  | "learning_rate"
  | "seconds"
  | "images_per_second";

export interface TrainingLog {
  epochs: number[];
  /** by epoch; null: not measured, or no number */
  columns: Record<Column, (number | null)[]>;
  layers: string[];
  /** by layer and epoch: the root mean square of weights, of updates, and the ratio of updates to weights */
  weights: (number | null)[][];
  updates: (number | null)[][];
  ratio: (number | null)[][];
  rate_steps: RateStep[];
}

export type TrainingFile = "training.csv" | "training.png" | "training.svg" | "training.pdf";
