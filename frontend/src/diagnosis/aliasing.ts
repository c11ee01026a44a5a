/** What is aliased of the first layer's map: of the network as it is, and of the arms. */
import { formatCount } from "../ui/format.ts";
import type { Arm, FirstLayer, MapAliasing } from "./wire.ts";

/** Return a share in percent, with a digit after the point below 10%: "31%", "1.6%". */
export function shareText(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return "–";
  return `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)}%`;
}

/** Return by how much a map is subsampled: "4", "1×2". */
export function subsamplingText([rows, columns]: readonly [number, number]): string {
  return rows === columns ? String(rows) : `${rows}×${columns}`;
}

/** Return what the bars of the filters show; empty without any. */
export function barText({ stride, map_aliasing: map }: FirstLayer): string {
  if (stride.some((step) => step > 1)) return `Red bar: share of its response that stride ${subsamplingText(stride)} aliases. `;
  return map?.blurred ? `Red bar: share of its map that is aliased after the blur, subsampled by ${subsamplingText(map.stride)}. ` : "";
}

/** Return the share of each arm that surgery made, beside that of the network as it is: "blur: 31% before, 1.6% after, ...". */
export function describeAfter([base, ...others]: readonly Arm[]): string {
  const before = base?.aliasing?.mean ?? null;
  const known = others.flatMap(({ label, aliasing, no_aliasing: reason }) => {
    if (aliasing) return [`${label}: ${shareText(before)} before, ${shareText(aliasing.mean)} after, in the map of ${aliasing.layer}.`];
    return reason ? [`${label}: not checked. ${reason}`] : [];
  });
  return known.join(" ");
}

/** Return what the shares of the arms are, and what they do not include. */
export function describeAliasing([base]: readonly Arm[]): string {
  if (base?.aliasing) return `Aliased: ${describeMeasured(base.aliasing)}`;
  return base?.no_aliasing ? `Aliasing is not checked: ${base.no_aliasing}` : "";
}

function describeMeasured({ layer, photographs }: MapAliasing): string {
  const on = photographs ? `, ${formatCount(photographs, "photograph")}` : "";
  return (
    `share of the energy of the map of ${layer}, after its activation function and a blur, that is finer than its subsampling can carry, ` +
    `mean over units${on}. Not included: what later strides alias, and what a blur removes of lower frequencies.`
  );
}
