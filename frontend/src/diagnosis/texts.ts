/** The panel's texts. */
import { formatCount, formatInteger, formatProgress } from "../ui/format.ts";
import { subsamplingText } from "./aliasing.ts";
import type { Arm, Diagnosis, Finding, FirstLayer, Level, Sort, Status, UnitName } from "./wire.ts";

/** Levels in words, and the word for their count. */
export const LEVELS: Record<Level, [word: string, counted: string]> = {
  found: ["found", "found"],
  near: ["near the limit", "near the limit"],
  clear: ["clear", "clear"],
  not_checked: ["cannot be checked", "cannot be checked"],
};

export function percent(share: number | null | undefined, digits = 0): string {
  return share === null || share === undefined || !Number.isFinite(share) ? "–" : `${(100 * share).toFixed(digits)}%`;
}

/** Return a signed change: "+7%", "−13%", "0%". */
export function signedPercent(share: number | null, digits = 0, unit = "%"): string {
  if (share === null || !Number.isFinite(share)) return "–";
  const text = Math.abs(100 * share).toFixed(digits);
  return Number(text) === 0 ? `0${unit}` : `${share < 0 ? "−" : "+"}${text}${unit}`;
}

/** Return "9 checks: 2 found, 3 near the limit, 4 clear". */
export function describeFindings(findings: readonly Finding[]): string {
  const counts = (Object.keys(LEVELS) as Level[]).map((level) => [findings.filter((one) => one.level === level).length, level] as const);
  const listed = counts.filter(([count]) => count).map(([count, level]) => `${count} ${LEVELS[level][1]}`);
  return `${formatCount(findings.length, "check")}: ${listed.join(", ")}`;
}

/** Return what the diagnosis is doing, in words; empty if it is complete. */
export function describePhase({ phase, progress, problem, current }: Status): string {
  if (phase === "failed") return `The diagnosis failed: ${problem}`;
  if (phase === "stopped") return "The diagnosis was stopped.";
  if (phase === "done") return current ? "" : "The model has changed since it was diagnosed.";
  if (phase === "none") return "Not diagnosed yet.";
  return `Diagnosing: ${progress ? formatProgress(progress, "photographs") : "starting…"}`;
}

/** Return the title of the header. */
export function describeDiagnosis({ first_layer: first, units, photographs, images, shift_photographs: shifts }: Diagnosis): string {
  const [rows, columns] = first?.kernel_size ?? [0, 0];
  const layer = first ? [`first layer ${rows}×${columns}, stride ${strideText(first)}`] : [];
  const measured = `diagnosed on ${formatCount(photographs, "photograph")} of ${images}${shifts ? `, shifts on ${shifts}` : ""}`;
  return [...layer, formatCount(units, "unit"), measured].join(" · ");
}

export function strideText({ stride }: FirstLayer): string {
  return subsamplingText(stride);
}

/** Return a frequency as a fraction: "1/8". */
export function frequencyText(frequency: number): string {
  const whole = 1 / frequency;
  return Math.abs(whole - Math.round(whole)) < 1e-6 ? `1/${Math.round(whole)}` : frequency.toFixed(3);
}

/** Return what was measured of a filter of the first layer. */
export function describeFilter(first: FirstLayer, unit: number): string {
  const [centre, aliased, ratio] = [first.centre[unit], first.aliased[unit], first.rms_ratio[unit]];
  const parts = [
    aliased === null || aliased === undefined ? "" : `${percent(aliased)} aliased`,
    centre === null || centre === undefined ? "all weights are 0" : `mean frequency ${centre.toFixed(3)} cycles per pixel`,
    ratio === undefined ? "" : `RMS ${ratio.toFixed(2)}× the median`,
  ];
  return parts.filter(Boolean).join(" · ");
}

export interface Band {
  name: string;
  text: string;
  units: number[];
}

const value = (values: readonly (number | null | undefined)[], unit: number) => values[unit] ?? Number.NEGATIVE_INFINITY;

/** Return the order of the filters: one band for each range of frequencies, or one for all. */
export function filterBands(first: FirstLayer, sort: Sort): Band[] {
  const units = first.centre.map((_, unit) => unit);
  if (sort !== "frequency") {
    const key = sort === "aliasing" ? first.aliased : first.rms_ratio;
    return [{ name: "", text: "", units: units.sort((a, b) => value(key, b) - value(key, a)) }];
  }
  const [low, high] = first.bands.map((limit) => limit.toFixed(2));
  const ranges = [`below ${low}`, `${low} to ${high}`, `above ${high}`];
  const bandOf = (unit: number) => {
    const shares = (first.shares[unit] ?? []).map((share) => share ?? -1);
    return shares.indexOf(Math.max(...shares));
  };
  return ["low", "middle", "high"].map((name, band) => {
    const inBand = units.filter((unit) => bandOf(unit) === band).sort((a, b) => value(first.centre, a) - value(first.centre, b));
    const share = percent(first.mean_shares[band]);
    return {
      name: `Mostly ${name}`,
      text: `${formatCount(inBand.length, "filter")} · ${share} of the energy of all filters · ${ranges[band]}`,
      units: inBand,
    };
  });
}

export function unitText([layer, unit]: UnitName): string {
  return `${layer} / ${unit}`;
}

/** Return what became of the weights in the last step of an arm. */
export function describeWeights({ kept, cut, new: made }: Arm): string {
  if (!cut && !made) return "all weights kept";
  return [`${formatInteger(kept)} weights kept`, cut ? `${formatInteger(cut)} cut` : "", made ? `${formatInteger(made)} new` : ""]
    .filter(Boolean)
    .join(", ");
}

/** Return the state of an arm's measurement; empty if it is complete. */
export function describeArm({ phase, progress, problem }: Arm): string {
  if (phase === "failed") return problem ?? "It cannot be measured.";
  if (phase === "stopped") return "Stopped.";
  if (phase === "waiting" || phase === "none") return "Waiting…";
  return phase === "running" ? (progress?.total ? `Measuring: ${Math.floor((100 * progress.done) / progress.total)}%` : "Measuring…") : "";
}
