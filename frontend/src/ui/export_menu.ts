import { createMenu } from "./menu.ts";

/** The menu of files to download, and of the state as Python. Files are [file, label]. */
export function createExportMenu<File extends string>({
  files,
  save,
  copyState,
}: {
  files: readonly (readonly [file: File, label: string])[];
  save: (file: File) => void;
  copyState: () => void;
}) {
  const items = files.map(([file, words]) => ({ words, testid: `export-${file}`, act: () => save(file) }));
  items.push({ words: "Copy state as Python", testid: "copy-state", act: copyState });
  return createMenu({ label: "Export", words: "Export…", testid: "export-menu", items });
}
