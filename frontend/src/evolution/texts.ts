/** Texts of the EvolutionExplorer. */
import { formatCount, formatNumber } from "../ui/format.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, skippedFiles } from "../ui/provenance.ts";
import type { Cell, Column, Convergence, Count, EvolutionHello, History, Measure, Row, RowChoice, RowsReply } from "./wire.ts";

const MEASURES: Record<Measure, string> = {
  correlation: "correlation with",
  same_strongest: "units with the strongest image of",
  cka: "linear CKA with",
};

/** Return what the curves show. */
export function describeConvergence({ measure, against }: Convergence, count: Count): string {
  return against === null ? "" : `${MEASURES[measure]} ${count} ${against}`;
}

/** Return from which checkpoint on each layer is at 0.9 or more: "at least 0.9 from epoch 5: conv1, conv2 · 20: conv3 · only at 30: conv4". */
export function describeReached({ against, curves }: Convergence, count: Count): string {
  const groups = new Map<number | null, string[]>();
  for (const { layer, reached } of curves) groups.set(reached, [...(groups.get(reached) ?? []), layer]);
  const last = groups.get(null);
  groups.delete(null);
  if (against === null || !groups.size) return "";
  const known = [...groups].sort(([a], [b]) => (a ?? 0) - (b ?? 0)).map(([epoch, layers]) => `${epoch}: ${layers.join(", ")}`);
  return `at least 0.9 from ${count} ${[...known, ...(last ? [`only at ${against}: ${last.join(", ")}`] : [])].join(" · ")}`;
}

/** Return the state of a checkpoint whose index is not ready. */
export function describeColumn({ state, message, progress }: Column): string {
  if (state === "failed") return message;
  if (state === "waiting") return "waiting for its index";
  return state === "building" ? `building its index${progress?.total ? ` · ${percent(progress)}` : ""}` : "";
}

export function percent({ done, total }: { done: number; total: number }): string {
  return `${Math.floor((100 * done) / total)}%`;
}

/** Return how many of the rows have another strongest image than at the checkpoint before. */
export function describeChanges({ rows, epochs }: RowsReply, column: Column): string {
  if (column.state !== "ready") return describeColumn(column);
  const at = epochs.indexOf(column.epoch);
  if (at < 0 || !rows.length) return "";
  if (at === 0) return column.trained ? "the first checkpoint" : "random weights: the agreement that chance alone gives";
  const changed = rows.filter((row) => row.cells[at]?.changed).length;
  return `${changed} of ${formatCount(rows.length, "unit")} changed their strongest image since ${column.unit} ${epochs[at - 1]}`;
}

export function describeChoice({ choose, seed, units }: RowChoice): string {
  if (choose === "random") return `random (seed ${seed})`;
  return choose === "changed" ? "changed most" : formatCount(units.length, "chosen unit");
}

/** Return what a cell shows, for its tooltip and for screen readers. */
export function describeCell({ layer, unit }: Row, cell: Cell | undefined, column: Column): string {
  const name = `${layer} unit ${unit}, ${column.unit} ${column.epoch}`;
  if (!cell) return `${name}: ${describeColumn(column)}`;
  if (!cell.active) return `${name}: no activation in these images`;
  const changed = cell.changed ? " · another image became the strongest" : "";
  return `${name}: ${formatNumber(cell.value)} · ${cell.label ?? cell.source}${changed}`;
}

/** Return how often the strongest image of a unit changed. */
export function countJumps({ cells }: Row): string {
  if (cells.length && cells.every((cell) => !cell.active)) return "inactive";
  if (cells.length < 2) return "";
  return formatCount(cells.filter((cell) => cell.changed).length, "jump");
}

/** Return at which epochs the strongest image of a unit changed. */
export function describeJumps({ epochs, changed, values }: History, count: Count): string {
  if (values.every((value) => !(value > 0))) return "This unit has no activation in these images, at any checkpoint.";
  const at = epochs.filter((_, index) => changed[index]);
  if (!at.length) return epochs.length > 1 ? "Its strongest image never changed." : "";
  return `Jumped at ${count} ${at.join(", ")}. A jump is a change of image, not always of what the unit looks for: compare the tiles.`;
}

export function headerContent({ overview, evolution }: EvolutionHello): HeaderContent {
  const { columns } = evolution;
  const last = columns.at(-1);
  const parts = [
    overview.images,
    `strongest of ${formatCount(overview.photographs, "image")}`,
    `${formatCount(columns.length, "checkpoint")}${last ? ` to ${last.unit} ${last.epoch}` : ""}`,
    ...(evolution.live ? ["training runs"] : []),
  ];
  const failed = columns.filter(({ state }) => state === "failed").length;
  const warnings = [
    columns.length && columns.every(({ trained }) => !trained) ? "untrained: random weights" : "",
    failed ? `${formatCount(failed, "checkpoint")} failed` : "",
    overview.skipped.length ? `${formatCount(overview.skipped.length, "file")} skipped` : "",
  ];
  const notes = [...overview.notes, ...skippedFiles(overview)];
  return { model: overview.model, title: parts.join(" · "), warnings: warnings.filter(Boolean), origin: provenance(overview), notes };
}
