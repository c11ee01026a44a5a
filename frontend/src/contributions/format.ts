/** Texts about contributions of units. */
import { formatNumber } from "../ui/format.ts";
import type { Contributions, Method } from "./wire.ts";

/** Format a contribution with its sign. */
export function formatSigned(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = formatNumber(Math.abs(value));
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}

const METHODS: Record<Method, string> = {
  weight: "weight × activation",
  gradient: "gradient × activation",
  "switch-off": "each unit switched off alone",
};

/** Describe how contributions were computed, and whether they are exact. */
export function describeMethod({ method, exact }: Pick<Contributions, "method" | "exact">): string {
  return `${METHODS[method]}, ${exact ? "exact" : "an approximation"}`;
}
