/** The lines of Python that train the network as it is and the arms alike, behind a button. */
import { h, setText } from "../ui/dom.ts";
import type { AblationCode } from "./wire.ts";

/** @param id unique in the page */
export function createAblationCode({ id, copy }: { id: string; copy: (code: string) => void }) {
  const panel = `${id}-ablation`;
  const note = h("p", { class: "dwn-dim" });
  const text = h("code", {});
  const copyButton = h("button", { type: "button", class: "dwx-menu-button", onclick: () => copy(text.textContent ?? "") }, "Copy");
  const code = h("pre", { class: "dwn-code", "data-testid": "ablation-code" }, text);
  const shown = h("div", { id: panel, class: "dwn-ablation-panel", hidden: true }, h("div", { class: "dwn-row" }, note, copyButton), code);
  const toggle = () => {
    shown.hidden = !shown.hidden;
    button.setAttribute("aria-expanded", String(!shown.hidden));
  };
  const properties = { type: "button", class: "dwn-try", "aria-expanded": "false", "aria-controls": panel, "data-testid": "ablation" };
  const button = h("button", { ...properties, onclick: toggle }, "Ablation study…");
  const hint = h(
    "p",
    { class: "dwn-dim" },
    "The arms are not trained. A study trains all alike, with several seeds, and compares their errors.",
  );
  const element = h("div", { class: "dwn-ablation", hidden: true }, h("div", { class: "dwn-row" }, hint, button), shown);
  const update = (ablation: AblationCode | null) => {
    element.hidden = !ablation;
    if (!ablation) return;
    setText(note, ablation.note);
    setText(text, ablation.code);
    for (const part of [code, copyButton]) part.hidden = !ablation.code;
  };
  return { element, update };
}
