import { safeFileName } from "../ui/download.ts";
import type { OcclusionFile } from "./wire.ts";

/** The files of the export menu, with their labels. */
export const FILES: [OcclusionFile, string][] = [
  ["figure.png", "Figure as PNG"],
  ["figure.svg", "Figure as SVG"],
  ["figure.html", "Figure as HTML page"],
  ["maps.npz", "Maps as NumPy arrays (.npz)"],
];

export function fileName(model: string, image: string, file: OcclusionFile): string {
  return safeFileName(`${model}-occlusion-${image}-${file}`);
}
