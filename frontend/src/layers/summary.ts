/** Texts of the header. */

import { formatCount, formatInteger } from "../ui/format.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, shortWarnings, skippedFiles } from "../ui/provenance.ts";
import type { Layer, Overview } from "./wire.ts";

/** Return the layer, and of how many images the strongest activations are. The list of layers states the number of units. */
export function describeLayer(overview: Overview, layer: Layer | undefined): string {
  const parts: string[] = [];
  if (layer) parts.push(layer.id);
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
