/** The field that finds layers by their names, and the button that lists all of them. */
import { h } from "../ui/dom.ts";
import type { Layer } from "./wire.ts";

/** Return the layers one of whose names, or whose kind, contains the text. */
export function findLayers<Found extends Pick<Layer, "id" | "names" | "convolution" | "kind">>(layers: Found[], text: string): Found[] {
  const query = text.trim().toLowerCase();
  if (!query) return layers;
  return layers.filter(({ id, names, convolution, kind }) =>
    [id, ...names, convolution ?? "", kind].some((name) => name.toLowerCase().includes(query)),
  );
}

/**
 * Create the field and the button.
 * @param changed called when the list has to be updated
 * @param first clicks the first layer that is found
 */
export function createLayerSearch({ changed, first }: { changed: () => void; first: () => void }) {
  const input = h("input", {
    type: "search",
    class: "dwx-search",
    placeholder: "find a layer…",
    "aria-label": "Find a layer by its name",
    "data-testid": "layer-search",
  });
  const toggle = h(
    "button",
    { type: "button", class: "dwx-all-layers", "aria-pressed": "false", "data-testid": "all-layers" },
    "All layers",
  );
  toggle.title = "List every module whose output is feature maps. The index of a layer is built when it is opened.";
  let isAll = false;
  input.addEventListener("input", changed);
  input.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") first();
    if (key !== "Escape" || !input.value) return;
    input.value = "";
    changed();
  });
  toggle.addEventListener("click", () => {
    isAll = !isAll;
    toggle.setAttribute("aria-pressed", String(isAll));
    changed();
  });
  return {
    elements: [input, toggle],
    get text() {
      return input.value;
    },
    get isAll() {
      return isAll;
    },
    /** What is said where no layer is found. */
    get nothingFound() {
      return isAll ? "No layer has this name." : "No listed layer has this name. “All layers” searches every layer.";
    },
  };
}
