/** The row of one layer. */
import { drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { ShiftedMaps } from "./store.ts";
import { percent, signedPercent } from "./texts.ts";
import type { UnitName } from "./wire.ts";

const LARGE = 0.05; // of the activation

/** Return the part of the track that shows a change: from the middle to the side. */
export function changeBar(change: number): { left: number; width: number } {
  const width = Math.min(50, Math.abs(100 * change));
  return { left: change < 0 ? 50 - width : 50, width };
}

export function createLayerRow(layer: string, pick: (unit: UnitName) => void) {
  let unit = -1;
  const show = () => {
    if (!maps[0].hidden) pick([layer, unit]); // of a fully connected layer there are no patches and projections
  };
  const number = h("span", {});
  const named = h("span", { class: "dwn-dim" }, h("span", { class: "dwn-unit-word" }, "unit "), number);
  const properties = { type: "button", class: "dwn-layer-name", tabindex: -1, onclick: show };
  const button = h("button", properties, h("b", {}, layer), named);
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

  const drawMaps = ({ map_shape: [rows, columns], maps: both }: ShiftedMaps) => {
    const highest = both[0].reduce((most, value) => Math.max(most, value), 0);
    for (const [index, canvas] of maps.entries()) {
      canvas.hidden = rows * columns === 1; // of a fully connected layer: its one value is the number beside it
      if (canvas.hidden) continue;
      drawValues(canvas, both[index as 0 | 1], rows, columns, [0, highest]);
      canvas.setAttribute("aria-label", `Map of ${layer} / ${unit} ${index ? "after" : "before"} the shift`);
    }
  };

  const update = (shown: ShiftedMaps) => {
    if (shown === drawn) return;
    drawn = shown;
    unit = shown.unit;
    const { before, after } = shown;
    setText(number, String(unit));
    drawMaps(shown);
    button.title = maps[0].hidden ? `Emphasize the curve of ${layer}` : `Show the strongest activations of ${layer} / ${unit}`;
    const relative = before > 0 ? after / before - 1 : null;
    const { left, width } = changeBar(relative ?? 0);
    bar.style.cssText = `left: ${left}%; width: ${width}%`;
    setText(values, `${formatNumber(before)} → ${formatNumber(after)}`);
    element.title = `The strongest activation of ${layer} / ${unit}: ${values.textContent}`;
    setText(change, signedPercent(relative));
    change.dataset.large = String(Math.abs(relative ?? 0) > LARGE);
    setText(all, percent(shown.change, 1));
  };
  const emphasise = (emphasised: boolean) => {
    element.dataset.emphasised = String(emphasised);
  };
  return { element, button, layer, update, emphasise };
}
