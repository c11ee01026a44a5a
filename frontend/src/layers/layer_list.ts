import { h } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import type { Layer, Overview } from "./wire.ts";

function describeReceptiveField({ receptive_field: field }: Layer): string {
  if (!field) return "receptive field: whole input";
  return `receptive field ${field[0] === field[1] ? field[0] : field.join(" × ")} px`;
}

/** Return a dotted name that may be broken after its dots: encoder.layers.encoder_layer_0 differs from others at its end. */
function breakable(name: string): (string | HTMLElement)[] {
  return name.split(/(?<=\.)/).flatMap((part, index) => (index ? [h("wbr", {}), part] : [part]));
}

/** Create the list of layers. */
export function createLayerList({ pick }: { pick: (layer: string) => void }) {
  const element = h("nav", { class: "dwx-layers", "aria-label": "Layers", "data-testid": "layers" });
  let buttons = new Map<string, HTMLButtonElement>();
  let shown: Overview | null = null;

  const createButton = (layer: Layer, index: number, maxChannels: number) => {
    const dead = layer.dead === null ? "" : `, ${formatInteger(layer.dead)} dead`;
    const title = `${layer.name} (${layer.kind})${index < 9 ? ` · key ${index + 1}` : ""}`;
    const properties = { type: "button", class: "dwx-layer", title, "data-testid": `layer-${layer.id}`, onclick: () => pick(layer.id) };
    return h(
      "button",
      properties,
      h("span", { class: "dwx-layer-bar", style: `width:${(100 * layer.channels) / maxChannels}%` }),
      h("b", {}, ...breakable(layer.id)),
      h("span", {}, `${formatCount(layer.channels, "unit")}${dead}`),
      h("span", {}, `${layer.height} × ${layer.width} map`),
      h("span", {}, describeReceptiveField(layer)),
    );
  };

  const rebuild = ({ layers }: Overview) => {
    const maxChannels = Math.max(...layers.map((layer) => layer.channels));
    buttons = new Map(layers.map((layer, index) => [layer.id, createButton(layer, index, maxChannels)]));
    element.replaceChildren(h("div", { class: "dwx-layers-caption" }, "bar: number of units"), ...buttons.values());
  };

  /** Scroll the list to a layer, without scrolling the page. */
  const scrollToButton = (button: HTMLElement) => {
    const top = button.offsetTop - element.offsetTop;
    if (top < element.scrollTop || top + button.offsetHeight > element.scrollTop + element.clientHeight) element.scrollTop = top - 8;
    const left = button.offsetLeft - element.offsetLeft;
    if (left < element.scrollLeft || left + button.offsetWidth > element.scrollLeft + element.clientWidth) element.scrollLeft = left - 8;
  };

  const update = (overview: Overview, selectedId: string) => {
    if (overview !== shown) rebuild(overview);
    shown = overview;
    for (const [id, button] of buttons) {
      if (id !== selectedId) button.removeAttribute("aria-current");
      else if (!button.hasAttribute("aria-current")) {
        button.setAttribute("aria-current", "true");
        scrollToButton(button);
      }
    }
  };
  return { element, update };
}
