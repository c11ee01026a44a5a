import { createMenu, type MenuItem } from "./menu.ts";

/** What can be exported, with the formats that it can be exported in: [file, label]. */
export type ExportGroup<File extends string> = readonly [name: string, formats: readonly (readonly [file: File, label: string])[]];

/** Create the menu to export files, and to copy the state as Python code and the command that freezes the notebook. */
export function createExportMenu<File extends string>({
  groups,
  save,
  copy,
  options = [],
  testid = "export-menu",
}: {
  groups: readonly ExportGroup<File>[];
  save: (file: File) => void;
  copy?: { state: () => void; freezeCommand: () => void };
  /** Further items, before the last one. */
  options?: MenuItem[];
  testid?: string;
}) {
  const items: MenuItem[] = groups.flatMap(([group, formats]) =>
    formats.map(([file, text]) => ({ group, text, testid: `export-${file}`, onSelect: () => save(file) })),
  );
  items.push(...options);
  if (copy) {
    const group = "Copy";
    items.push({ group, text: "State as Python", testid: "copy-state", onSelect: copy.state });
    items.push({ group, text: "Command to publish", testid: "copy-freeze-command", onSelect: copy.freezeCommand });
  }
  return createMenu({ label: "Export", text: "Export…", testid, items });
}

/** Return a file name of parts, without characters that a file system may reject and without further dots: "alexnet-conv5.png". */
export function exportName(parts: readonly (string | number)[], suffix: string): string {
  const clean = parts.map((part) =>
    String(part)
      .replace(/[^\w-]+/g, "_")
      .replace(/^_+|_+$/g, ""),
  );
  return `${clean.filter(Boolean).join("-")}.${suffix}`;
}
