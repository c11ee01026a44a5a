import { h, setText } from "./dom.ts";

/** A hint at keys: their names, and what they do. */
export type KeyHint = readonly [keys: readonly string[], words: string];

export function keyHint([keys, words]: KeyHint): HTMLElement {
  return h("span", { class: "dwx-hint" }, ...keys.map((key) => h("kbd", {}, key)), ` ${words}`);
}

/**
 * The line at the bottom: hints, and the status of what was done last.
 * @param parts what stands before and after the status
 */
export function createFooter(before: Node[], after: Node[] = []) {
  const status = h("span", { class: "dwx-status", role: "status", "aria-live": "polite", "data-testid": "status" });
  const element = h("footer", { class: "dwx-footer" }, ...before, status, ...after);
  return { element, say: (words: string) => setText(status, words) };
}
