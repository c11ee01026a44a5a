/** Messages about contributions of units, of the widgets that show them. */
import type { Box } from "../occlusion/geometry.ts";

export type Method = "weight" | "gradient" | "switch-off";

export interface ContributionsRequest {
  image: string;
  layer: string;
  target: number | null;
  against: number | null;
  method: Method | "auto";
  /** "mean": minus the contributions of the mean photograph. */
  baseline: "mean" | null;
  /** The number of listed units on each side. */
  top: number;
  /** Of the model with all units on. */
  unchanged: boolean;
}

export interface Pending {
  done: number;
  /** 0 while it is unknown. */
  total: number;
}

/** A reply while the answer is being computed. */
export interface PendingReply {
  pending?: Pending;
}

/** The contribution of one unit to the answer for a photograph. */
export interface UnitContribution {
  unit: number;
  value: number;
  /** With a class to compare with: the contributions to the two logits, of which `value` is the difference. */
  for_target: number | null;
  for_against: number | null;
  activation: number;
  /** Of the image set. Null while the index is built. */
  maximum: number | null;
  row: number;
  column: number;
  box: Box | null;
  /** Classes with its largest mean contributions, if they are known. */
  contributes_to: string[];
}

/** The sum that makes up the output: listed units + others + rest. */
export interface Ledger {
  units: number[];
  values: number[];
  others: number;
  others_count: number;
  rest: number;
  output: number;
  /** Whether `rest` is the model's own constant. */
  closes: boolean;
}

/** Reply to `contributions`. */
export interface Contributions extends PendingReply {
  request: ContributionsRequest;
  method: Method;
  exact: boolean;
  closes: boolean;
  predicted: number;
  label: number | null;
  note: string;
  /** The number of units of the layer. */
  units: number;
  top: UnitContribution[];
  bottom: UnitContribution[];
  ledger: Ledger;
}

/** Reply to `deletion`: the answer as units are switched off in three orders. */
export interface Deletion extends PendingReply {
  counts: number[];
  scores: Record<Order, number[]>;
  /** The number of units that are off when the answer turns; null: it does not. */
  turns: Record<Order, (number | null)[]>;
  areas: Record<Order, number | null>;
}

export type Order = "contribution" | "activation" | "random";

/** Reply to `class_contributions`. Buffer: float32 (units,). */
export interface ClassContributionsReply extends PendingReply {
  layer: string;
  target: number;
  name: string;
  method: Method;
  exact: boolean;
  over: "labelled" | "predicted" | "all";
  photographs: number;
}

/** Reply to `unit_classes`: classes with the mean contribution of the unit. */
export interface UnitClasses extends PendingReply {
  for: [name: string, value: number][];
  against: [name: string, value: number][];
  method: Method;
  photographs: number;
  over: "index" | "top";
}

export interface TreeNode {
  layer: string;
  unit: number;
  depth: number;
}

export interface TreeEdge {
  /** The node that feeds. */
  source: number;
  /** The node that is fed; -1: the class. */
  to: number;
  value: number;
  /** Of all positive terms. */
  share: number;
}

/** Reply to `tree`. */
export interface Tree extends PendingReply {
  root: string;
  layers: string[];
  nodes: TreeNode[];
  edges: TreeEdge[];
  notes: string[];
}

/** Reply to `unit_maps`. Buffer: float32 (units, rows, cols). */
export interface UnitMapsReply {
  units: number[];
  map_shape: [rows: number, cols: number];
  extent: number[];
}
