/** Where a model and its images come from, in words, and what a reader must know of them at once. */
import type { Overview, UnitFactor } from "../kernel/wire.ts";
import { formatCount, formatInteger } from "./format.ts";
import { isValue } from "./quantity.ts";
import { describeFactor } from "./switch.ts";

/** Return names and values for the header's panel. `only` chooses among them. */
export function provenance(overview: Overview): [name: string, value: string][] {
  const { weights, classifier, quantity, images, skipped, device, host } = overview;
  const predicted: [string, string] = isValue(quantity)
    ? ["Predicts", classifier ?? "nothing"]
    : ["Classes", classifier ?? "no classifier"];
  const listed = skipped.length ? ` (${formatInteger(skipped.length)} skipped)` : "";
  const changed: [string, string][] = overview.units?.length ? [["Units", listUnits(overview.units)]] : [];
  return [
    ["Weights", weights],
    predicted,
    ...changed,
    ["Images", `${images}${listed}`],
    ["Device", host ? `${device} on ${host}` : device],
  ];
}

/** Return units in words: "conv5 133 off, conv4 7 × 0.5". */
function listUnits(units: readonly UnitFactor[], limit = 12): string {
  const named = units.slice(0, limit).map(({ layer, unit, factor }) => `${layer} ${unit} ${describeFactor(factor)}`);
  return [...named, ...(units.length > limit ? [`and ${formatInteger(units.length - limit)} more`] : [])].join(", ");
}

/** Return warnings in short form. The panel has the whole text. */
export function shortWarnings({ trained, classifier, skipped }: Overview): string[] {
  return [
    trained ? "" : "untrained: random weights",
    classifier ? "" : "no classifier",
    skipped.length ? `${formatCount(skipped.length, "file")} skipped` : "",
  ].filter(Boolean);
}

/** Return the files that were skipped, with the reasons. */
export function skippedFiles({ skipped }: Overview, limit = 10): string[] {
  const lines = skipped.slice(0, limit).map(({ name, reason }) => `Skipped ${name}: ${reason}`);
  return skipped.length > limit ? [...lines, `Skipped ${formatInteger(skipped.length - limit)} more.`] : lines;
}
