import { h } from "./dom.js";
import { counted, grouped } from "./format.js";

/**
 * What a layer's unit sees, in words.
 * @param {{sees: [number, number] | null}} layer
 */
export function seesWords({ sees }) {
  if (!sees) return "sees the whole input";
  return sees[0] === sees[1] ? `sees ${sees[0]} px` : `sees ${sees[0]} × ${sees[1]} px`;
}

/**
 * The list of layers.
 * @param {{pick: (layer: string) => void}} options
 */
export function createLayers({ pick }) {
  const element = h("nav", { class: "dwx-layers", "aria-label": "Layers", "data-testid": "layers" });
  /** @type {Map<string, HTMLElement>} */
  let buttons = new Map();
  /** @type {any} */
  let shown = null;

  /** @param {any} overview */
  const rebuild = (overview) => {
    const most = Math.max(...overview.layers.map((/** @type {any} */ layer) => layer.channels));
    buttons = new Map(
      overview.layers.map((/** @type {any} */ layer, /** @type {number} */ index) => {
        const dead = layer.dead === null ? "" : `, ${grouped(layer.dead)} dead`;
        const bar = h("span", { class: "dwx-layer-bar", style: `width:${(100 * layer.channels) / most}%` });
        const words = [h("b", {}, layer.id), h("span", {}, `${counted(layer.channels, "unit")}${dead}`)];
        const shape = [h("span", {}, `${layer.height} × ${layer.width} map`), h("span", {}, seesWords(layer))];
        const hint = `${layer.name} (${layer.kind})${index < 9 ? ` · key ${index + 1}` : ""}`;
        const properties = { type: "button", class: "dwx-layer", title: hint, "data-testid": `layer-${layer.id}`, onclick: () => pick(layer.id) };
        return [layer.id, h("button", properties, bar, ...words, ...shape)];
      }),
    );
    element.replaceChildren(...buttons.values());
  };

  /** Scroll the list, and nothing around it, to a layer. @param {HTMLElement} button */
  const reveal = (button) => {
    const top = button.offsetTop - element.offsetTop;
    if (top < element.scrollTop || top + button.offsetHeight > element.scrollTop + element.clientHeight) element.scrollTop = top - 8;
    const left = button.offsetLeft - element.offsetLeft;
    if (left < element.scrollLeft || left + button.offsetWidth > element.scrollLeft + element.clientWidth) element.scrollLeft = left - 8;
  };

  /** @param {any} overview @param {string} chosen */
  const update = (overview, chosen) => {
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
