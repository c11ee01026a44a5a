/** Texts of the header. */

import { formatCount, formatInteger } from "../ui/format.ts";
import type { HeaderContent } from "../ui/header.ts";
import { describePredicted } from "../ui/quantity.ts";
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

/** Describe the origin of weights, classes and images, and the device. */
export function describeOrigin({ weights, classifier, quantity, images, skipped, device }: Overview): string {
  const predicted = describePredicted(classifier, quantity);
  const skippedText = skipped.length ? ` (${formatInteger(skipped.length)} skipped)` : "";
  return [weights, predicted, `${images}${skippedText}`, device].join(" · ");
}

export function headerContent(overview: Overview, layer: Layer | undefined): HeaderContent {
  const { model, trained, notes } = overview;
  return { model, trained, title: describeLayer(overview, layer), origin: describeOrigin(overview), notes };
}
