/** What can be exported. */
import type { ExportGroup } from "../ui/export_menu.ts";
import type { ReportFile } from "./wire.ts";

export const FILES: ExportGroup<ReportFile>[] = [
  [
    "Report",
    [
      ["report.html", "HTML"],
      ["report.png", "PNG"],
      ["report.json", "JSON"],
      ["report.csv", "CSV"],
    ],
  ],
  ["Shift curves", [["curves.csv", "CSV"]]],
];
