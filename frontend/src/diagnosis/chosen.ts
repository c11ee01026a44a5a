/** What a state shows of a diagnosis: the open finding, and the unit whose evidence is shown. */
import type { Diagnosis, DiagnosisState, Finding, UnitName } from "./wire.ts";

export function shownFinding({ findings }: Diagnosis, { finding }: DiagnosisState): Finding | undefined {
  return findings.find(({ check }) => check === finding) ?? findings[0];
}

/** Return the unit of the state; without one the worst of the finding, or the first layer's worst filter. */
export function shownUnit(diagnosis: Diagnosis, state: DiagnosisState): UnitName | null {
  if (state.unit) return state.unit;
  const worst = shownFinding(diagnosis, state)?.units[0];
  if (worst) return [worst.layer, worst.unit];
  const first = diagnosis.first_layer;
  return first ? [first.alias, worstFilter(first.aliased)] : null;
}

/** Return the number of the filter with the largest aliased share. */
function worstFilter(aliased: readonly (number | null)[]): number {
  const values = aliased.map((share) => share ?? -1);
  return Math.max(0, values.indexOf(Math.max(...values)));
}

/** Return the check `step` places below the open one. */
export function neighbourFinding(diagnosis: Diagnosis, state: DiagnosisState, step: number): Finding | undefined {
  const open = shownFinding(diagnosis, state);
  const at = open ? diagnosis.findings.indexOf(open) : 0;
  return diagnosis.findings[Math.min(diagnosis.findings.length - 1, Math.max(0, at + step))];
}
