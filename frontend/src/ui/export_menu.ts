import { createMenu } from "./menu.ts";

/** Create the menu to download files and to copy the state as Python code. Files are [file, label]. */
export function createExportMenu<File extends string>({
  files,
  save,
  copyState,
}: {
  files: readonly (readonly [file: File, label: string])[];
  save: (file: File) => void;
  copyState: () => void;
}) {
  const items = files.map(([file, text]) => ({ text, testid: `export-${file}`, onSelect: () => save(file) }));
  items.push({ text: "Copy state as Python", testid: "copy-state", onSelect: copyState });
  return createMenu({ label: "Export", text: "Export…", testid: "export-menu", items });
}
