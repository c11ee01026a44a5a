/** The lines of Python that open the checkpoints in other widgets: the last one is shown, all are copied. */
import { h } from "../ui/dom.ts";
import type { Status } from "./wire.ts";

export function createCodeView({ copy }: { copy: (code: string) => void }) {
  const element = h("div", { class: "dwg-code", "data-testid": "code" });
  let shown = "";
  const update = ({ code }: Status) => {
    element.hidden = !code.length;
    const key = JSON.stringify(code);
    if (key === shown) return;
    shown = key;
    element.replaceChildren(
      ...code.map(([purpose, text]) => {
        const button = h(
          "button",
          { type: "button", class: "dwx-menu-button", title: `Copy these lines:\n${text}`, onclick: () => copy(text) },
          "Copy",
        );
        return h(
          "div",
          { class: "dwg-code-row" },
          h("span", { class: "dwg-small" }, purpose),
          h("code", { title: text }, text.split("\n").at(-1) ?? ""),
          button,
        );
      }),
    );
  };
  return { element, update };
}
