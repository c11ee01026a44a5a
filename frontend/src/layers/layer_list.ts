import { h } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import type { Layer, Overview } from "./wire.ts";

function describeReceptiveField({ receptive_field: field }: Layer): string {
  if (!field) return "global receptive field";
  return `receptive field ${field[0] === field[1] ? field[0] : field.join(" × ")} px`;
}

/** The list of layers. */
export function createLayerList({ pick }: { pick: (layer: string) => void }) {
  const element = h("nav", { class: "dwx-layers", "aria-label": "Layers", "data-testid": "layers" });
  let buttons = new Map<string, HTMLButtonElement>();
  let shown: Overview | null = null;

  const createButton = (layer: Layer, index: number, widest: number) => {
    const dead = layer.dead === null ? "" : `, ${formatInteger(layer.dead)} dead`;
    const title = `${layer.name} (${layer.kind})${index < 9 ? ` · key ${index + 1}` : ""}`;
    const properties = { type: "button", class: "dwx-layer", title, "data-testid": `layer-${layer.id}`, onclick: () => pick(layer.id) };
    return h(
      "button",
      properties,
      h("span", { class: "dwx-layer-bar", style: `width:${(100 * layer.channels) / widest}%` }),
      h("b", {}, layer.id),
      h("span", {}, `${formatCount(layer.channels, "unit")}${dead}`),
      h("span", {}, `${layer.height} × ${layer.width} map`),
      h("span", {}, describeReceptiveField(layer)),
    );
  };

  const rebuild = ({ layers }: Overview) => {
    const widest = Math.max(...layers.map((layer) => layer.channels));
    buttons = new Map(layers.map((layer, index) => [layer.id, createButton(layer, index, widest)]));
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
