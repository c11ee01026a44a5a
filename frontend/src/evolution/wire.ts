/** Messages between an EvolutionExplorer and the kernel. */
import type { EncodedImage, Progress } from "../kernel/wire.ts";
import type { LayerHello } from "../layers/mosaic_store.ts";
import type { RateStep } from "../ui/rate_step.ts";

export type Show = "projections" | "patches" | "both";
/** How far a layer has converged: by the activations, by the strongest images, or by linear CKA. */
export type Measure = "correlation" | "same_strongest" | "cka";
export type Choose = "random" | "changed" | "chosen";
export type UnitName = [layer: string, unit: number];
export type FigureFile = `evolution.${"png" | "svg" | "pdf" | "html"}` | "cells.csv" | "convergence.csv";

/** Which units the rows show. */
export interface RowChoice {
  choose: Choose;
  /** Those of the choice "chosen". */
  units: UnitName[];
  /** Units per layer, of the other choices. */
  count: number;
  /** Of the choice "random". */
  seed: number;
  /** Empty: all layers. */
  layers: string[];
}

export interface EvolutionState extends RowChoice {
  /** Null: the last one whose index is ready. */
  epoch: number | null;
  /** Null: the first row. */
  unit: UnitName | null;
  /** The rank of the selected activation, from 0. */
  rank: number;
  show: Show;
  measure: Measure;
}

/** What the numbers of checkpoints count. */
export type Count = "epoch" | "step";

/** A checkpoint, and the state of its index. */
export interface Column {
  epoch: number;
  /** What `epoch` counts. */
  unit: Count;
  /** Where the epoch is known from, if not from the file's own entry. */
  label: string;
  state: "waiting" | "building" | "ready" | "failed";
  /** False before training: the weights are random. */
  trained: boolean;
  progress: Progress | null;
  /** Why it failed. */
  message: string;
}

export interface EvolutionLayer {
  /** As it is called in requests. */
  short_name: string;
  units: number;
  /** [rows, columns] in input pixels. Null: the whole input. */
  receptive_field: [number, number] | null;
}

/** One epoch of the training log. Shares are from 0 to 1. */
export interface LoggedEpoch {
  epoch: number;
  train_loss: number | null;
  validation_loss: number | null;
  train_top1: number | null;
  validation_top1: number | null;
  learning_rate: number | null;
}

export interface Evolution {
  unit: Count;
  columns: Column[];
  layers: EvolutionLayer[];
  log: LoggedEpoch[];
  rate_steps: RateStep[];
  /** Whether a training that writes into the folder is running. */
  live: boolean;
  /** Images over which the measures are. */
  sampled: number;
}

export interface EvolutionHello extends LayerHello {
  evolution: Evolution;
}

/** The strongest activation of a unit at one checkpoint. */
export interface Cell {
  value: number;
  source: string;
  label: string | null;
  /** Whether another image became the strongest. */
  changed: boolean;
  /** Whether the unit is active in any image. */
  active: boolean;
}

export interface Row {
  layer: string;
  unit: number;
  /** In the order of the epochs of the reply. */
  cells: Cell[];
}

/** Reply to `rows`. */
export interface RowsReply {
  epochs: number[];
  rows: Row[];
}

/** A unit at an epoch. */
export type CellKey = [epoch: number, layer: string, unit: number];

/** Request `cells`. `tile` is the side of a picture in pixels. */
export interface CellsRequest {
  cells: CellKey[];
  parts: ("projections" | "patches")[];
  tile: number;
}

/** Reply to `cells`. Buffers: the images that are not null, one after the other. */
export interface CellsReply {
  pictures: { projection: EncodedImage | null; patch: EncodedImage | null; reason: string }[];
}

export interface ConvergenceCurve {
  layer: string;
  /** In the order of the epochs; null where it is undefined. */
  values: (number | null)[];
  left_out: number[];
  /** The first epoch from which on it is at least 0.9; null if only the last one. */
  reached: number | null;
  units: number;
}

/** Reply to `convergence`. */
export interface Convergence {
  measure: Measure;
  epochs: number[];
  /** The last epoch. */
  against: number | null;
  curves: ConvergenceCurve[];
  note: string;
}

/** Reply to `history`: a unit, by epoch. */
export interface History {
  epochs: number[];
  values: number[];
  changed: boolean[];
  /** How many of its strongest images at the last epoch were among its strongest. */
  final: number[];
  final_of: number;
}
