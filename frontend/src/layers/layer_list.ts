import type { Lookup } from "../kernel/resource.ts";
import { focusedElement, h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import { createLayerSearch, findLayers } from "./layer_search.ts";
import type { Layer, Overview } from "./wire.ts";

export function describeReceptiveField({ receptive_field: field }: Pick<Layer, "receptive_field">): string {
  if (!field) return "receptive field: whole input";
  return `receptive field ${field[0] === field[1] ? field[0] : field.join(" × ")} px`;
}

/** Return a dotted name that may be broken after its dots: encoder.layers.encoder_layer_0 differs from others at its end. */
function breakable(name: string): (string | HTMLElement)[] {
  return name.split(/(?<=\.)/).flatMap((part, index) => (index ? [h("wbr", {}), part] : [part]));
}

/** Return the name of the module behind a layer: of its convolution, or another one of the same output. */
export function moduleName({ id, convolution, names }: Layer): string {
  return convolution ?? names.find((name) => name !== id) ?? "";
}

/** Return the listed layers and those that were opened, in the order of `all` if it is known. */
export function shownLayers({ layers, opened }: Overview, all: Layer[] | undefined): Layer[] {
  const position = new Map(all?.map(({ id }, index) => [id, index]));
  const shown = [...layers, ...opened];
  return all ? shown.sort((a, b) => (position.get(a.id) ?? 0) - (position.get(b.id) ?? 0)) : shown;
}

interface ListOptions {
  pick: (layer: string) => void;
  /** Called when the list has to be updated. */
  changed: () => void;
  allLayers: () => Lookup<Layer[]>;
}

/** Create the list of layers: the listed and the opened ones, or all of them, searched by their names. */
export function createLayerList({ pick, changed, allLayers }: ListOptions) {
  const search = createLayerSearch({ changed, first: () => pickFirst() });
  const note = h("p", { class: "dwx-layer-note", hidden: true, role: "status" });
  const caption = h("div", { class: "dwx-layers-caption" }, "bar: number of units");
  const tools = h("div", { class: "dwx-layer-tools", "data-part": "layer-search" }, ...search.elements, caption);
  const list = h("div", { class: "dwx-layer-list" });
  const element = h("nav", { class: "dwx-layers", "aria-label": "Layers", "data-testid": "layers" }, tools, note, list);
  let buttons = new Map<string, HTMLButtonElement>();
  let shownFor: unknown[] = [];
  let drawn: [overview: Overview, selectedId: string] | null = null;

  const createButton = (layer: Layer, key: number, maxChannels: number) => {
    const dead = layer.dead === null ? "" : `, ${formatInteger(layer.dead)} dead`;
    const others = layer.names.filter((name) => name !== layer.id).join(", ");
    const built = layer.dead === null ? "\nIts index is built when it is opened." : "";
    const title = `${layer.id}${others ? ` = ${others}` : ""} (${layer.kind})${key >= 0 && key < 9 ? ` · key ${key + 1}` : ""}${built}`;
    const properties = { type: "button", class: "dwx-layer", title, "data-testid": `layer-${layer.id}`, onclick: () => pick(layer.id) };
    const name = moduleName(layer);
    return h(
      "button",
      { ...properties, "data-indexed": String(layer.dead !== null) },
      h("span", { class: "dwx-layer-bar", style: `width:${(100 * layer.channels) / maxChannels}%` }),
      h("b", {}, ...breakable(layer.id)),
      name ? h("span", { class: "dwx-module" }, ...breakable(name)) : null,
      h("span", {}, `${formatCount(layer.channels, "unit")}${dead}`),
      h("span", {}, `${layer.height} × ${layer.width} map`),
      h("span", { class: "dwx-receptive-field" }, describeReceptiveField(layer)),
    );
  };

  /** Return the button that the list has if it is the same, so that it keeps the focus. */
  const reuse = ({ id }: Layer, button: HTMLButtonElement): HTMLButtonElement => {
    const shown = buttons.get(id);
    if (shown?.title === button.title && shown.innerHTML === button.innerHTML) return shown;
    if (shown && shown === focusedElement(list)) queueMicrotask(() => button.focus({ preventScroll: true }));
    return button;
  };

  const rebuild = (overview: Overview, all: Lookup<Layer[]> | null) => {
    const layers = search.isAll ? (all?.value ?? []) : shownLayers(overview, all?.value);
    const found = findLayers(layers, search.text);
    const maxChannels = Math.max(...layers.map((layer) => layer.channels));
    const keys = new Map(overview.layers.map(({ id }, index) => [id, index]));
    const previous = buttons;
    buttons = new Map(found.map((layer) => [layer.id, reuse(layer, createButton(layer, keys.get(layer.id) ?? -1, maxChannels))]));
    const [before, now] = [[...previous.values()], [...buttons.values()]];
    const isSame = before.length === now.length && found.every(({ id }, index) => before[index] === previous.get(id));
    if (!isSame) list.replaceChildren(...now);
    else for (const [index, button] of now.entries()) if (button !== before[index]) before[index]?.replaceWith(button); // keeps its place
    list.dataset.all = String(search.isAll);
    const isLoading = search.isAll && !all?.value;
    note.hidden = found.length > 0;
    caption.hidden = found.length === 0;
    setText(note, isLoading ? (all?.error ?? "Loading…") : search.nothingFound);
  };

  /** Scroll the list to a layer, without scrolling the page. */
  const scrollToButton = (button: HTMLElement) => {
    const top = button.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + button.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - 8;
    const left = button.offsetLeft - list.offsetLeft;
    if (left < list.scrollLeft || left + button.offsetWidth > list.scrollLeft + list.clientWidth) list.scrollLeft = left - 8;
  };

  /** Pick the first layer that is found. The list of the last letter is drawn in the next frame, which may be later than the key. */
  const pickFirst = () => {
    if (drawn) update(...drawn);
    buttons.values().next().value?.click();
  };

  const update = (overview: Overview, selectedId: string) => {
    drawn = [overview, selectedId];
    const all = search.isAll || overview.opened.length ? allLayers() : null; // opened layers stand in the order of execution
    const content = [search.text, search.isAll, overview, all?.value, all?.error];
    const isNewSearch = content.slice(0, 2).some((part, index) => part !== shownFor[index]);
    if (content.some((part, index) => part !== shownFor[index])) rebuild(overview, all);
    if (isNewSearch) list.scrollTo(0, 0);
    shownFor = content;
    for (const [id, button] of buttons) {
      if (id !== selectedId) button.removeAttribute("aria-current");
      else if (!button.hasAttribute("aria-current")) {
        button.setAttribute("aria-current", "true");
        if (!search.text) scrollToButton(button);
      }
    }
  };

  return { element, update };
}
