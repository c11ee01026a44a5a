/** The layers of A, each with the layer of B that is shown beside it and how alike the two are; and the matrix of all pairs of layers. */

import type { Lookup } from "../kernel/resource.ts";
import { createLayerSearch, findLayers } from "../layers/layer_search.ts";
import type { Layer } from "../layers/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { createCkaMatrix } from "./cka_matrix.ts";
import { formatCorrelation } from "./pairs.ts";
import type { Similarity } from "./store.ts";
import type { Both, LayerMatch, PairState } from "./wire.ts";

const NO_KEY = 9; // of a layer that no key selects
const CAPTION = "median r of matched units · CKA";
const CAPTION_HINT =
  "r: correlation of the activations of matched units over the images. CKA: linear centred kernel alignment of the whole layers, from 0 to 1. " +
  "Over fewer images than units it is too high, even for unrelated layers.";

interface LayerContent {
  /** The listed and opened layers of both. */
  layers: Both<Layer[]>;
  /** All layers of both, where they are listed. */
  all: Both<Lookup<Layer[]>> | null;
  similarity: Similarity | undefined;
  /** Why there is none. */
  error: string | undefined;
  state: PairState;
}

interface LayerPairsOptions {
  /** Called with a layer of A and one of B. */
  pick: (layerA: string, layerB: string) => void;
  /** Called when the list has to be updated. */
  changed: () => void;
}

/** Create the column. */
export function createLayerPairs({ pick, changed }: LayerPairsOptions) {
  const search = createLayerSearch({ changed, first: () => pickFirst() });
  const tools = h("div", { class: "dwx-layer-tools", "data-part": "layer-search" }, ...search.elements);
  const list = h("div", { class: "dwx-layer-list dwc-layer-list" });
  const matrix = createCkaMatrix({ pick });
  const note = h("p", { class: "dwx-layer-note", role: "status", "data-testid": "similarity-note" });
  const caption = h("div", { class: "dwx-layers-caption dwc-layers-caption", title: CAPTION_HINT, tabindex: 0 }, CAPTION);
  const missing = h("p", { class: "dwx-layer-note", role: "status", hidden: true });
  const parts = [tools, caption, missing, list, note, matrix.element];
  const element = h("nav", { class: "dwx-layers dwc-layers", "aria-label": "Layers", "data-testid": "layers" }, ...parts);
  let drawn = "";
  let drawnContent: LayerContent | null = null;

  const createButton = (layer: Layer, match: LayerMatch | undefined, other: string | null, key: number) => {
    const share = match?.units ? match.kept / match.units : 0;
    const numbers = match ? `r ${formatCorrelation(match.median)} · CKA ${formatCorrelation(match.cka)}` : "…";
    const title = `${layer.id}${other ? ` beside ${other}` : ""}${key < 9 ? ` · key ${key + 1}` : ""}`;
    const properties = { type: "button", class: "dwx-layer", title, "data-testid": `layer-${layer.id}`, "data-layer": layer.id };
    return h(
      "button",
      { ...properties, onclick: () => other && pick(layer.id, other) },
      h("span", { class: "dwx-layer-bar dwc-kept-bar" }, h("i", { style: `width:${100 * share}%` })),
      h("b", {}, layer.id, other && other !== layer.id ? h("span", { class: "dwc-other" }, ` | ${other}`) : ""),
      h("span", { class: "dwc-layer-numbers" }, numbers),
      h("span", {}, match ? `${match.kept} of ${match.units} kept or moved` : ""),
    );
  };

  const rebuild = ({ layers, all, similarity }: LayerContent) => {
    const matches = new Map(similarity?.matches.map((match) => [match.layer_a, match]));
    const ofB = search.isAll ? (all?.b.value ?? []) : layers.b;
    const known = new Map(ofB.map((layer) => [layer.id, layer]));
    const otherOf = ({ id }: Layer) => matches.get(id)?.layer_b ?? (known.has(id) ? id : (layers.b.at(-1)?.id ?? null));
    const keys = new Map(layers.a.map(({ id }, index) => [id, index]));
    const rows = (search.isAll ? (all?.a.value ?? []) : layers.a).map((layer) => {
      const other = known.get(otherOf(layer) ?? "");
      return { layer, ...layer, names: [...layer.names, other?.id ?? "", ...(other?.names ?? [])] }; // found by the names of both
    });
    const found = findLayers(rows, search.text);
    list.replaceChildren(
      ...found.map(({ layer }) => createButton(layer, matches.get(layer.id), otherOf(layer), keys.get(layer.id) ?? NO_KEY)),
    );
    const isLoading = search.isAll && !(all?.a.value && all.b.value);
    missing.hidden = found.length > 0 && !isLoading;
    setText(missing, isLoading ? (all?.a.error ?? all?.b.error ?? "Loading…") : search.nothingFound);
  };

  /** Pick the first pair that is found. The list of the last letter is drawn in the next frame, which may be later than the key. */
  const pickFirst = () => {
    if (drawnContent) update(drawnContent);
    list.querySelector<HTMLElement>(".dwx-layer")?.click();
  };

  const update = (content: LayerContent) => {
    drawnContent = content;
    const { layers, all, similarity, error, state } = content;
    const idsOf = (listed: readonly Layer[] | undefined) => listed?.map(({ id }) => id);
    const everything = all && [idsOf(all.a.value), idsOf(all.b.value), all.a.error, all.b.error];
    const key = JSON.stringify([search.text, search.isAll, idsOf(layers.a), idsOf(layers.b), everything, similarity?.matches]);
    if (key !== drawn) rebuild(content);
    drawn = key;
    for (const button of list.children) {
      const isShown = (button as HTMLElement).dataset.layer === state.layer_a;
      if (isShown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    note.hidden = Boolean(similarity);
    setText(note, error ?? "Comparing the layers…");
    matrix.update(similarity, state);
  };

  /** Return the layer of A of a key from 0, and the layer of B beside it; null if there is none. */
  const pair = (index: number, content: Pick<LayerContent, "layers" | "similarity">): [string, string] | null => {
    const layer = content.layers.a[index];
    const other = layer && (content.similarity?.matches.find(({ layer_a }) => layer_a === layer.id)?.layer_b ?? layer.id);
    return layer && other && content.layers.b.some(({ id }) => id === other) ? [layer.id, other] : null;
  };
  return {
    element,
    update,
    pair,
    get isAll() {
      return search.isAll;
    },
  };
}
