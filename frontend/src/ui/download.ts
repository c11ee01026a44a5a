import { h } from "./dom.ts";

/** Return a file name without characters that a file system may reject. */
export function safeFileName(name: string): string {
  return name.replace(/[^\w.-]+/g, "_");
}

/** Save a file as a download. */
export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers read the URL some time after the click
}
