/** Messages between a widget of two models on one photograph and the kernel. */
import type { Point } from "../occlusion/geometry.ts";

/** Lengths are in pixels of A's input; those of B are scaled. */
export interface BothState {
  image: string;
  /** The name of a class or output. Null: for A the most probable class; for B the one of the same name, or else its most probable class. */
  target_a: string | null;
  target_b: string | null;
  fill: string;
  window: Point;
  patches: Point[];
  stride: Point;
  border: "inside" | "same";
  tab: "maps" | "images";
}

/** Reply to `hello` without a side. */
export interface BothHello {
  names: [string, string];
}

/** Return the name of a class as it is compared with those of another model: "Sea_Lion" is "sea lion". */
export function plainName(name: string): string {
  return name.replace(/[_-]/g, " ").toLowerCase().split(/\s+/).filter(Boolean).join(" ");
}

/** Return the class of a name, in any spelling of it; null if there is none. */
export function classOfName(name: string | null, classes: string[] | null): number | null {
  if (name === null || !classes) return null;
  const exact = classes.indexOf(name);
  const found = exact >= 0 ? exact : classes.findIndex((other) => plainName(other) === plainName(name));
  return found < 0 ? null : found;
}

/** Return a point or a size in the pixels of another input. */
export function scalePoint(point: Point, from: Point, to: Point): Point {
  return [(point[0] * to[0]) / from[0], (point[1] * to[1]) / from[1]];
}

/** Return a size in whole pixels of another input. Must agree with `occlusion_sides.scaled`. */
export function scaleSize(size: Point, from: Point, to: Point): Point {
  const [rows, columns] = scalePoint(size, from, to);
  return [Math.max(1, Math.floor(rows + 0.5)), Math.max(1, Math.floor(columns + 0.5))];
}
