import { h } from "./dom.ts";

const HINT =
  "Why does the model predict what it does for this photograph? Show it in the OcclusionExplorer, with the units behind the answer";

/** Create the button of a photograph that asks why the model predicts what it does. */
export function createWhyButton({ testid, key, ask }: { testid: string; key?: string; ask: () => void }): HTMLButtonElement {
  const title = key ? `${HINT} (${key})` : HINT;
  return h("button", { type: "button", class: "dwx-why", "data-testid": testid, title, onclick: ask }, "Why?");
}
