/** The strongest units in the transformed photograph, with their activations in the photograph as it is, and their projections. */
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { InvarianceStore, UnitPicture, View } from "./store.ts";
import type { InvarianceState, StrongUnit } from "./wire.ts";

const REST = 180; // ms without a change until projections are requested

interface Options {
  store: InvarianceStore;
  redraw: () => void;
  open: (unit: number) => void;
}

export function createUnits({ store, redraw, open }: Options) {
  const summary = h("p", { class: "dwi-note", "data-testid": "kept" });
  const list = h("div", { class: "dwi-units", "data-testid": "units" });
  const element = h("div", {}, summary, list);
  const rows: ReturnType<typeof createRow>[] = [];
  let resting: ReturnType<typeof setTimeout> | undefined;
  let key = "";
  let rested = "";

  const update = (state: InvarianceState, view: View) => {
    const { units, kept, layer } = view;
    setText(summary, `${kept} of the ${units.length} strongest units of ${layer} are among the strongest of the photograph as it is, too.`);
    while (rows.length > units.length) rows.pop()?.element.remove();
    while (rows.length < units.length) {
      const row = createRow(open);
      rows.push(row);
      list.append(row.element);
    }
    const numbers = units.map(({ unit }) => unit);
    const newKey = JSON.stringify([state.image, state.transform, state.amount, layer, numbers]);
    if (newKey !== key) {
      key = newKey;
      clearTimeout(resting);
      resting = setTimeout(() => {
        rested = newKey;
        redraw();
      }, REST);
    }
    const pictures = rested === key ? store.unitPictures(element, state, numbers).value : store.knownUnitPictures(state, numbers);
    const most = Math.max(1e-9, ...units.map(({ value, before }) => Math.max(value, before)));
    rows.forEach((row, index) => {
      const unit = units[index];
      if (unit) row.update(layer, unit, most, pictures?.[index]);
    });
  };
  const close = () => {
    clearTimeout(resting);
    for (const row of rows) row.close();
  };
  return { element, update, close };
}

function createRow(open: (unit: number) => void) {
  const projection = createImage();
  const patch = createImage();
  const name = h("b", {});
  const rank = h("span", { class: "dwi-rank" });
  const value = h("span", { class: "dwi-number" });
  const now = h("i", { class: "dwi-now" });
  const before = h("i", { class: "dwi-before" });
  const numbers = h("span", { class: "dwi-unit-line" }, name, rank, value);
  const text = h("span", { class: "dwi-unit-text" }, numbers, h("span", { class: "dwi-bar" }, before, now));
  const properties = { type: "button", class: "dwi-unit", "data-testid": "unit" };
  let unit = 0;
  const element = h("button", { ...properties, onclick: () => open(unit) }, projection.element, patch.element, text);

  const update = (layer: string, strong: StrongUnit, most: number, picture: UnitPicture | undefined) => {
    unit = strong.unit;
    setText(name, `${layer} ${strong.unit}`);
    setText(rank, `rank ${strong.rank + 1} as it is`);
    setText(value, formatNumber(strong.value));
    now.style.width = `${(100 * Math.max(0, strong.value)) / most}%`;
    before.style.width = `${(100 * Math.max(0, strong.before)) / most}%`;
    const reason = picture?.reason ? ` ${picture.reason}` : "";
    element.title = `${formatNumber(strong.value)}; ${formatNumber(strong.before)} in the photograph as it is.${reason} Open it in a LayerExplorer.`;
    projection.show(picture?.projection ?? null);
    patch.show(picture?.patch ?? null);
  };
  const close = () => {
    for (const image of [projection, patch]) image.show(null);
  };
  return { element, update, close };
}

function createImage() {
  const image = h("img", { alt: "", draggable: "false", hidden: true });
  const element = h("span", { class: "dwi-tile" }, image);
  let shown: Blob | null = null;
  let url = "";
  const show = (blob: Blob | null) => {
    if (blob === shown) return;
    URL.revokeObjectURL(url);
    shown = blob;
    url = blob ? URL.createObjectURL(blob) : "";
    image.hidden = !blob;
    if (blob) image.src = url;
  };
  return { element, show };
}
