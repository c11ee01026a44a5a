import { h, setText } from "./dom.ts";

/** Keyboard keys and their action. */
export type KeyHint = readonly [keys: readonly string[], action: string];

export function keyHint([keys, action]: KeyHint): HTMLElement {
  return h("span", { class: "dwx-hint" }, ...keys.map((key) => h("kbd", {}, key)), ` ${action}`);
}

/** Create the footer: the status, with elements before and after it. */
export function createFooter(before: Node[], after: Node[] = []) {
  const status = h("span", { class: "dwx-status", role: "status", "aria-live": "polite", "data-testid": "status" });
  const element = h("footer", { class: "dwx-footer" }, ...before, status, ...after);
  return { element, showStatus: (text: string) => setText(status, text) };
}
