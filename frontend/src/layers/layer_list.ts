import { h } from "../ui/dom.ts";
import { counted, grouped } from "../ui/format.ts";
import type { Overview } from "./wire.ts";

/** What a layer's unit sees, in words. */
export function seesWords({ sees }: { sees: [number, number] | null }) {
  if (!sees) return "sees the whole input";
  return sees[0] === sees[1] ? `sees ${sees[0]} px` : `sees ${sees[0]} × ${sees[1]} px`;
}

/** The list of layers. */
export function createLayers({ pick }: { pick: (layer: string) => void }) {
  const element = h("nav", { class: "dwx-layers", "aria-label": "Layers", "data-testid": "layers" });
  let buttons: Map<string, HTMLElement> = new Map();
  let shown: Overview | null = null;

  const rebuild = (overview: Overview) => {
    const most = Math.max(...overview.layers.map((layer) => layer.channels));
    buttons = new Map(
      overview.layers.map((layer, index) => {
        const dead = layer.dead === null ? "" : `, ${grouped(layer.dead)} dead`;
        const bar = h("span", { class: "dwx-layer-bar", style: `width:${(100 * layer.channels) / most}%` });
        const words = [h("b", {}, layer.id), h("span", {}, `${counted(layer.channels, "unit")}${dead}`)];
        const shape = [h("span", {}, `${layer.height} × ${layer.width} map`), h("span", {}, seesWords(layer))];
        const hint = `${layer.name} (${layer.kind})${index < 9 ? ` · key ${index + 1}` : ""}`;
        const properties = {
          type: "button",
          class: "dwx-layer",
          title: hint,
          "data-testid": `layer-${layer.id}`,
          onclick: () => pick(layer.id),
        };
        return [layer.id, h("button", properties, bar, ...words, ...shape)];
      }),
    );
    element.replaceChildren(...buttons.values());
  };

  /** Scroll the list, and nothing around it, to a layer. */
  const reveal = (button: HTMLElement) => {
    const top = button.offsetTop - element.offsetTop;
    if (top < element.scrollTop || top + button.offsetHeight > element.scrollTop + element.clientHeight) element.scrollTop = top - 8;
    const left = button.offsetLeft - element.offsetLeft;
    if (left < element.scrollLeft || left + button.offsetWidth > element.scrollLeft + element.clientWidth) element.scrollLeft = left - 8;
  };

  const update = (overview: Overview, chosen: string) => {
    if (overview !== shown) rebuild(overview);
    shown = overview;
    for (const [id, button] of buttons) {
      if (id !== chosen) button.removeAttribute("aria-current");
      else if (!button.hasAttribute("aria-current")) {
        button.setAttribute("aria-current", "true");
        reveal(button);
      }
    }
  };
  return { element, update };
}
