import { type ExportGroup, exportName } from "../ui/export_menu.ts";
import type { OcclusionFile } from "./wire.ts";

/** The files of the export menu. */
export const FILES: ExportGroup<OcclusionFile>[] = [
  [
    "Figure",
    [
      ["figure.png", "PNG"],
      ["figure.svg", "SVG"],
      ["figure.pdf", "PDF"],
      ["figure.html", "HTML"],
    ],
  ],
  ["Maps as arrays", [["maps.npz", "NPZ"]]],
];

/** Return the file name of a figure or of the maps. `image` is the caption of the image: a file and its class. */
export function fileName(model: string, image: string, file: OcclusionFile): string {
  const [kind, suffix = ""] = file.split(".");
  const name = image.replace(/\.(jpe?g|png|webp|gif|bmp|tiff?)\b/gi, "");
  return exportName([model, "occlusion", name, ...(kind === "maps" ? ["maps"] : [])], suffix);
}
