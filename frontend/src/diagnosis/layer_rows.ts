/** A row for each layer: its strongest unit, that unit's map before and after the shift, and how much its strongest activation changes. */
import { h } from "../ui/dom.ts";
import { moveFocusInGrid } from "../ui/grid_navigation.ts";
import { createLayerChoice } from "./layer_choice.ts";
import { createLayerRow } from "./layer_row.ts";
import type { Shifted } from "./store.ts";
import type { LayerChoice, UnitName } from "./wire.ts";

const MOVING = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"]; // the other arrows shift the photograph

interface Actions {
  pick: (unit: UnitName) => void;
  choose: (layers: LayerChoice) => void;
  /** A layer is pointed at, or has the focus; null: none. */
  point: (layer: string | null) => void;
}

export function createLayerRows({ pick, choose, point }: Actions) {
  const titles = ["Strongest unit", "As it is", "Shifted", "Change", "All active units"];
  const hint = "The median change of the strongest activation, over all units of the layer that are active before the shift";
  const cells = titles.map((title, place) => h("span", { role: "columnheader", title: place === 4 ? hint : null }, title));
  const head = h("div", { class: "dwn-layer dwn-layer-head", role: "row" }, ...cells);
  const body = h("div", { role: "rowgroup", "data-testid": "layers" });
  const table = h("div", { class: "dwn-layers", role: "table", "aria-label": "Layers" }, head, body);
  const choice = createLayerChoice(choose);
  const element = h("div", { class: "dwn-layer-column" }, choice.element, table);
  let rows: ReturnType<typeof createLayerRow>[] = [];
  let named = "";

  table.addEventListener("keydown", (event) => {
    if (!MOVING.includes(event.key)) return;
    moveFocusInGrid(
      event,
      rows.map(({ button }) => button),
    );
  });
  const layerAt = ({ target }: Event) => rows.find((row) => row.element.contains(target as Node))?.layer ?? null;
  table.addEventListener("pointerover", (event) => point(layerAt(event)));
  table.addEventListener("pointerleave", () => point(null));
  table.addEventListener("focusin", (event) => point(layerAt(event)));
  table.addEventListener("focusout", () => point(null));

  const update = (shifted: Shifted | undefined, outdated: boolean) => {
    table.dataset.outdated = String(outdated);
    if (!shifted) return;
    const { layers, few, total, request } = shifted;
    choice.update(few, total, request.layers);
    table.dataset.many = String(layers.length > few);
    const key = layers.map(({ layer }) => layer).join("|");
    if (key !== named) {
      named = key;
      rows = layers.map(({ layer }) => createLayerRow(layer, pick));
      body.replaceChildren(...rows.map((row) => row.element));
      table.scrollTop = 0;
    }
    for (const [index, layer] of layers.entries()) rows[index]?.update(layer);
    if (rows[0] && !rows.some(({ button }) => button.tabIndex === 0)) rows[0].button.tabIndex = 0;
  };
  const emphasise = (layer: string | null) => {
    for (const row of rows) row.emphasise(row.layer === layer);
  };
  return { element, update, emphasise };
}
