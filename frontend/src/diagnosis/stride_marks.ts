/** Where a chart of curves by shift is marked: the multiples of a stride, and the numbers on its axis. */
import type { Curves } from "./wire.ts";

const STEP = 4; // input pixels between two numbers on the axis

interface StrideMarks {
  layer: string;
  stride: number;
  /** The measured shifts that are multiples of the stride, without 0. */
  shifts: number[];
}

/** Return the multiples of the stride of the deepest layer that has one within the shifts; null if no layer has one. */
export function strideMarks({ layers, strides, shifts }: Pick<Curves, "layers" | "strides" | "shifts">): StrideMarks | null {
  const furthest = Math.max(0, ...shifts);
  const index = strides.findLastIndex((stride) => stride > 1 && stride <= furthest);
  const stride = strides[index];
  if (stride === undefined) return null;
  return { layer: layers[index] ?? "", stride, shifts: shifts.filter((shift) => shift > 0 && shift % stride === 0) };
}

/** Return the shifts that are written below the axis: multiples of 4, or of a stride that has others. */
export function axisTicks(shifts: readonly number[], stride: number | undefined): number[] {
  const step = stride === undefined || stride % STEP === 0 || STEP % stride === 0 ? STEP : stride;
  const count = Math.floor(Math.max(0, ...shifts) / step) + 1;
  return Array.from({ length: count }, (_, index) => index * step);
}
