/** Texts of the header: what is true of both models, and of each. */
import type { Overview } from "../kernel/wire.ts";
import { formatCount } from "../ui/format.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, shortWarnings, skippedFiles } from "../ui/provenance.ts";
import { LETTERS } from "./pair_tile.ts";
import { type Both, SIDES } from "./wire.ts";

const UNITS_NOTE = "The units are compared with all units on; pictures and maps are those of the changed network.";

/**
 * Return the content of the header.
 * @param crops the number of sampled crops; undefined while it is not known
 * @param limits what limits the comparison
 */
export function headerContent(
  overviews: Both<Overview>,
  names: Both<string>,
  crops: number | undefined,
  limits: readonly string[] = [],
): HeaderContent {
  const { a, b } = overviews;
  const own = SIDES.map((side) => shortWarnings(overviews[side]).filter((text) => !text.includes("skipped")));
  const warnings = (own[0] ?? []).filter((text) => own[1]?.includes(text)).map((text) => `both ${text}`);
  for (const [index, side] of SIDES.entries()) {
    const only = (own[index] ?? []).filter((text) => !own[1 - index]?.includes(text));
    warnings.push(...only.map((text) => `${LETTERS[side]} ${text}`));
    const off = overviews[side].units.length;
    if (off) warnings.push(`${LETTERS[side]}: ${formatCount(off, "unit")} changed, compared with all on`);
  }
  const sampled = crops === undefined ? "" : `, compared over ${formatCount(crops, "crop")}`;
  const notes = SIDES.flatMap((side) => overviews[side].notes.map((note) => `${LETTERS[side]}: ${note}`));
  return {
    model: `A ${names.a} | B ${names.b}`,
    title: `${formatCount(a.photographs, "photograph")}${sampled}`,
    warnings,
    origin: SIDES.flatMap((side) =>
      provenance(overviews[side]).map(([name, value]): [string, string] => [`${LETTERS[side]}: ${name}`, value]),
    ),
    notes: [...(a.units.length || b.units.length ? [UNITS_NOTE] : []), ...limits, ...notes, ...skippedFiles(a)],
  };
}

/** Return the names of both models without their letters, which are shown beside them. */
export function shortNames([first, second]: [string, string]): Both<string> {
  const plain = (name: string, letter: string) => (name.endsWith(` (${letter})`) ? name.slice(0, -4) : name);
  return { a: plain(first, "A"), b: plain(second, "B") };
}
