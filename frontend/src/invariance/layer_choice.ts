/** The choice of the layers that have a chart. */
import { h, setText } from "../ui/dom.ts";
import { createPopover } from "../ui/popover.ts";
import type { InvarianceState } from "./wire.ts";

export const MAX_LAYERS = 12;

export function createLayerChoice({ set }: { set: (patch: Partial<InvarianceState>) => void }) {
  const button = h("button", { type: "button", class: "dwx-menu-button", "data-testid": "layers" }, "Layers…");
  const panel = h("div", { class: "dwi-layer-list", role: "group", "aria-label": "Layers with a chart", "data-testid": "layer-list" });
  const element = h("div", { class: "dwi-layers" }, button, panel);
  createPopover({ button, panel, element });
  let boxes: { name: string; box: HTMLInputElement }[] = [];
  let key = "";

  const chosen = () => {
    const layers = boxes.filter(({ box }) => box.checked).map(({ name }) => name);
    if (layers.length && layers.length <= MAX_LAYERS) set({ layers });
  };
  const update = (offered: string[], layers: string[]) => {
    const newKey = offered.join();
    if (newKey !== key) {
      boxes = offered.map((name) => ({ name, box: h("input", { type: "checkbox", "data-testid": `layer-${name}`, onchange: chosen }) }));
      panel.replaceChildren(...boxes.map(({ name, box }) => h("label", {}, box, ` ${name}`)));
      key = newKey;
    }
    for (const { name, box } of boxes) {
      box.checked = layers.includes(name);
      box.disabled = box.checked ? layers.length === 1 : layers.length >= MAX_LAYERS;
    }
    setText(button, `Layers: ${layers.length > 3 ? layers.length : layers.join(", ")}…`);
  };
  return { element, update };
}
