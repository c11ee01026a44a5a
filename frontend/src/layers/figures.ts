/** The figures of the export menu. */
import { createExportMenu, type ExportGroup, exportName } from "../ui/export_menu.ts";
import type { MenuItem } from "../ui/menu.ts";
import type { FigureFile, LayerState } from "./wire.ts";

const FORMATS = ["png", "svg", "pdf", "html"] as const;
const FIGURES = [
  ["layer", "Units of the layer"],
  ["unit", "Chosen unit"],
  ["pinned", "Pinned units"],
  ["layers", "All layers, one row each"],
] as const;
const SIZES = [
  ["small", "S"],
  ["medium", "M"],
  ["large", "L"],
] as const;

export type FigureSize = (typeof SIZES)[number][0];

const GROUPS: ExportGroup<FigureFile>[] = FIGURES.map(([figure, name]) => [
  name,
  FORMATS.map((format) => [`${figure}.${format}`, format.toUpperCase()] as const),
]);

/** Create the export menu of a LayerExplorer. */
export function createFigureMenu({
  save,
  copy,
}: {
  save: (file: FigureFile, size: FigureSize) => void;
  copy: { state: () => void; freezeCommand: () => void };
}) {
  let size: FigureSize = "medium";
  const options: MenuItem[] = SIZES.map(([name, text]) => ({
    group: "Tile size",
    text,
    testid: `figure-size-${name}`,
    checked: () => size === name,
    onSelect: () => {
      size = name;
    },
  }));
  return createExportMenu({ groups: GROUPS, options, save: (file) => save(file, size), copy });
}

/** Return the file name of a figure. */
export function figureName(model: string, { layer, unit }: Pick<LayerState, "layer" | "unit">, file: FigureFile): string {
  const [figure, suffix = ""] = file.split(".");
  const parts = { layer: [layer], unit: [layer, `unit${unit}`], pinned: ["pinned"], layers: ["layers"] }[figure as "layer"];
  return exportName([model, ...parts], suffix);
}
