/** Texts of the header. */

import { formatCount, formatInteger } from "../ui/format.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, shortWarnings, skippedFiles } from "../ui/provenance.ts";
import type { Layer, Overview } from "./wire.ts";

/** Describe the layer, and the number of images. */
export function describeLayer(overview: Overview, layer: Layer | undefined): string {
  const parts: string[] = [];
  if (layer) {
    const dead = layer.dead === null ? "" : `, ${formatInteger(layer.dead)} dead`;
    parts.push(`${layer.id} · ${formatCount(layer.channels, "unit")}${dead}`);
  }
  const crops = overview.crops > overview.photographs ? ` (${formatInteger(overview.crops)} crops)` : "";
  parts.push(`top ${overview.k} of ${formatCount(overview.photographs, "photograph")}${crops}`);
  return parts.join(" · ");
}

export function headerContent(overview: Overview, layer: Layer | undefined): HeaderContent {
  const { model, notes } = overview;
  return {
    model,
    title: describeLayer(overview, layer),
    warnings: shortWarnings(overview),
    origin: provenance(overview),
    notes: [...notes, ...skippedFiles(overview)],
  };
}
