/** Each layer's strongest unit of the photograph: its map before and after the shift, and how much its strongest activation changes. */
import { drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { Shifted, ShiftedMaps } from "./store.ts";
import { percent, signedPercent } from "./texts.ts";
import type { UnitName } from "./wire.ts";

const LARGE = 0.05; // of the activation

/** Return the part of the track that shows a change: from the middle to the side. */
export function changeBar(change: number): { left: number; width: number } {
  const width = Math.min(50, Math.abs(100 * change));
  return { left: change < 0 ? 50 - width : 50, width };
}

export function createLayerRows({ pick }: { pick: (unit: UnitName) => void }) {
  const titles = ["Strongest unit", "As it is", "Shifted", "Change", "All active units"];
  const hint = "The median change of the strongest activation, over all units of the layer that are active before the shift";
  const cells = titles.map((title, place) => h("span", { role: "columnheader", title: place === 4 ? hint : null }, title));
  const head = h("div", { class: "dwn-layer dwn-layer-head", role: "row" }, ...cells);
  const body = h("div", { role: "rowgroup", "data-testid": "layers" });
  const element = h("div", { class: "dwn-layers", role: "table", "aria-label": "Layers" }, head, body);
  let rows: ReturnType<typeof createLayerRow>[] = [];
  let named = "";

  const update = (shifted: Shifted | undefined, outdated: boolean) => {
    element.dataset.outdated = String(outdated);
    if (!shifted) return;
    const key = shifted.layers.map(({ layer }) => layer).join("|");
    if (key !== named) {
      named = key;
      rows = shifted.layers.map(({ layer }) => createLayerRow(layer, pick));
      body.replaceChildren(...rows.map((row) => row.element));
    }
    for (const [index, layer] of shifted.layers.entries()) rows[index]?.update(layer);
  };
  return { element, update };
}

function createLayerRow(layer: string, pick: (unit: UnitName) => void) {
  let unit = -1;
  const number = h("span", { class: "dwn-dim" });
  const button = h("button", { type: "button", class: "dwn-layer-name", onclick: () => pick([layer, unit]) }, h("b", {}, layer), number);
  const maps = [h("canvas", { role: "img" }), h("canvas", { role: "img" })] as const;
  const bar = h("i", {});
  const values = h("span", { class: "dwn-values" });
  const change = h("span", { class: "dwn-change" });
  const all = h("span", { class: "dwn-all", role: "cell" });
  const inCell = (child: Node) => h("span", { role: "cell" }, child);
  const track = h("span", { class: "dwn-track" }, bar);
  const element = h(
    "div",
    { class: "dwn-layer", role: "row", "data-testid": `layer-${layer}` },
    h("span", { role: "rowheader" }, button),
    inCell(maps[0]),
    inCell(maps[1]),
    h("span", { class: "dwn-layer-change", role: "cell" }, track, change, values),
    all,
  );
  let drawn: ShiftedMaps | null = null;

  const update = (shown: ShiftedMaps) => {
    if (shown === drawn) return;
    drawn = shown;
    unit = shown.unit;
    const { before, after, map_shape: shape, maps: both } = shown;
    setText(number, `unit ${unit}`);
    button.title = `Show the strongest activations of ${layer} / ${unit}`;
    const highest = both[0].reduce((most, value) => Math.max(most, value), 0);
    both.forEach((map, index) => {
      const canvas = maps[index as 0 | 1];
      drawValues(canvas, map, shape[0], shape[1], [0, highest]);
      canvas.setAttribute("aria-label", `Map of ${layer} / ${unit} ${index ? "after" : "before"} the shift`);
    });
    const relative = before > 0 ? after / before - 1 : null;
    const { left, width } = changeBar(relative ?? 0);
    bar.style.cssText = `left: ${left}%; width: ${width}%`;
    setText(values, `${formatNumber(before)} → ${formatNumber(after)}`);
    element.title = `The strongest activation of ${layer} / ${unit}: ${values.textContent}`;
    setText(change, signedPercent(relative));
    change.dataset.large = String(Math.abs(relative ?? 0) > LARGE);
    setText(all, percent(shown.change, 1));
  };
  return { element, update };
}
