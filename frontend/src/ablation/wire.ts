/** Messages between the AblationPanel and the kernel. Errors are shares from 0 to 1; null: not measured. */
import type { Progress } from "../kernel/wire.ts";

export type Measure = "top1" | "top5" | "train";

export interface AblationState {
  measure: Measure;
  /** The variants that a start trains; null: all. */
  chosen: string[] | null;
  /** What is shown in detail. */
  variant: string | null;
  seed: number | null;
}

export interface Estimate {
  mean: number;
  std: number | null;
  count: number;
}

export interface Difference {
  mean: number;
  interval: [low: number, high: number] | null;
  count: number;
}

export interface Run {
  variant: string;
  seed: number;
  folder: string;
  phase: "new" | "running" | "stopping" | "finished" | "cancelled" | "failed" | "interrupted" | "recorded" | "complete";
  epoch: number;
  epochs: number;
  train_error: number | null;
  top1_error: number | null;
  top5_error: number | null;
  images_per_second: number | null;
  message: string;
  curve: [epoch: number, train: number | null, validation: number | null][];
}

export interface Variant {
  name: string;
  description: string;
  origin: "random weights" | "given weights";
  architecture: string | null;
  parameters: number;
  surgery: string[];
  paper: { train_top1: number; top1: number; top5: number; baseline_top1: number; baseline: string } | null;
}

export interface Row {
  variant: Variant;
  runs: Run[];
  train_error: Estimate | null;
  top1_error: Estimate | null;
  top5_error: Estimate | null;
  images_per_second: Estimate | null;
  train_difference: Difference | null;
  top1_difference: Difference | null;
  top5_difference: Difference | null;
}

export interface Table {
  folder: string;
  images: string;
  classes: number;
  training: number;
  validation: number;
  input_size: [channels: number, height: number, width: number];
  epochs: number;
  seeds: number[];
  baseline: string;
  rows: Row[];
  notes: string[];
}

export interface Status {
  phase: "new" | "running" | "stopping" | "complete" | "incomplete";
  table: Table;
  message: string;
  can_start: boolean;
  can_cancel: boolean;
  recipe: [name: string, value: string][];
  /** Whether the images are known, so that a variant can be shown in a LayerExplorer. */
  explorable: boolean;
  progress: Progress | null;
}

export type AblationFile =
  | "ablation.csv"
  | "ablation-runs.csv"
  | "ablation.json"
  | "ablation.html"
  | "ablation.png"
  | "ablation.svg"
  | "ablation.pdf";
