import { resizeBilinear } from "../ui/bilinear.ts";
import { context2d, h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import { createSwitch } from "../ui/switch.ts";
import { formatSigned } from "./format.ts";
import type { UnitMaps, UnitMosaics } from "./store.ts";
import type { UnitContribution } from "./wire.ts";

const DARK = 0.8; // opacity of the shadow where the unit is inactive

/** A photograph, with the map of the unit in it. */
export interface WhereHere {
  /** Of the photograph: its bitmap is another one after each change of the model. */
  id: string;
  image: ImageBitmap;
  maps: UnitMaps | undefined;
}

export interface UnitRowContent {
  layer: string;
  contribution: UnitContribution;
  /** The largest size of a listed contribution. */
  scale: number;
  where: WhereHere;
  mosaics: UnitMosaics;
  /** The classes of its strongest activations. */
  classes: string;
  /** 1: the unit is on; 0: it is off. */
  factor: number;
}

/** Draw a photograph that is dark where a unit is inactive. */
export function drawWhere(canvas: HTMLCanvasElement, { image, maps }: Omit<WhereHere, "id">, unit: number): void {
  const side = canvas.width;
  const context = context2d(canvas);
  context.filter = maps ? "none" : "grayscale(1) opacity(0.4)";
  context.clearRect(0, 0, side, side);
  const scale = side / Math.max(image.width, image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  const [x, y] = [(side - width) / 2, (side - height) / 2];
  context.drawImage(image, x, y, width, height);
  context.filter = "none";
  const values = maps?.values.get(unit);
  if (!maps || !values) return;
  const maximum = values.reduce((largest, value) => Math.max(largest, value), 0);
  const smooth = resizeBilinear(values, maps.rows, maps.cols, side, side);
  const shadow = new ImageData(side, side);
  for (let pixel = 0; pixel < smooth.length; pixel += 1) {
    const share = maximum > 0 ? Math.max(0, smooth[pixel] ?? 0) / maximum : 0;
    shadow.data[4 * pixel + 3] = 255 * DARK * (1 - Math.sqrt(share));
  }
  const layer = h("canvas", { width: side, height: side });
  context2d(layer).putImageData(shadow, 0, 0);
  const [left = 0, top = 0, right = 1, bottom = 1] = maps.extent;
  context.fillStyle = `rgba(0, 0, 0, ${DARK})`;
  const box = [x + left * width, y + top * height, (right - left) * width, (bottom - top) * height] as const;
  fillAround(context, [x, y, width, height], box);
  context.drawImage(layer, ...box);
}

/** Fill a rectangle without a part of it. */
function fillAround(context: CanvasRenderingContext2D, outer: readonly number[], inner: readonly number[]): void {
  const [[x = 0, y = 0, width = 0, height = 0], [left = 0, top = 0, innerWidth = 0, innerHeight = 0]] = [outer, inner];
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.rect(left, top, innerWidth, innerHeight);
  context.clip("evenodd");
  context.fillRect(x, y, width, height);
  context.restore();
}

/**
 * Create the row of a unit: its switch, where it is active here, its strongest activations, and its contribution as a signed bar.
 * @param open called when the row is pressed
 * @param toggle called to switch the unit off, or on again
 */
export function createUnitRow(open: (unit: number) => void, toggle: (unit: number) => void) {
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const canvas = (name: string) => h("canvas", { width: 84 * ratio, height: 84 * ratio, "data-part": name });
  const [where, projections, patches] = [canvas("where"), canvas("projections"), canvas("patches")];
  const number = h("b", {});
  const activation = h("span", { class: "dwu-dim" });
  const value = h("b", { class: "dwu-value" });
  const fill = h("i", {});
  const parts = h("span", { class: "dwu-terms" });
  const classes = h("span", { class: "dwu-dim dwu-classes" });
  const info = h(
    "span",
    { class: "dwu-info" },
    h("span", { class: "dwu-line" }, h("span", {}, number, " ", activation), value),
    h("span", { class: "dwu-bar" }, fill),
    parts,
    classes,
  );
  let unit = -1;
  const properties = { type: "button", class: "dwu-unit", "data-testid": "why-unit", onclick: () => open(unit) };
  const button = h("button", properties, where, projections, patches, info);
  const onOff = createSwitch({ label: "Switch the unit off", testid: "why-switch", toggle: () => toggle(unit) });
  const element = h("div", { class: "dwu-row", role: "listitem" }, h("span", { class: "dwu-switch" }, onOff.element), button);
  let drawn: unknown[] = [];

  const update = ({ layer, contribution, scale, where: place, mosaics, classes: seen, factor }: UnitRowContent) => {
    unit = contribution.unit;
    element.dataset.unit = String(unit);
    element.dataset.off = String(factor === 0);
    onOff.update(factor !== 0, factor === 0 ? `Switch unit ${unit} on again (x)` : `Switch unit ${unit} off (x)`);
    element.dataset.sign = contribution.value < 0 ? "against" : "for";
    setText(number, String(unit));
    const of = contribution.maximum === null ? "" : ` of ${formatNumber(contribution.maximum)}`;
    setText(activation, `${formatNumber(contribution.activation)}${of}`);
    activation.title = "The unit's activation here, and its maximum over the image set";
    setText(value, formatSigned(contribution.value));
    const width = scale > 0 ? (50 * Math.abs(contribution.value)) / scale : 0;
    Object.assign(fill.style, { width: `${width}%`, left: contribution.value < 0 ? `${50 - width}%` : "50%" });
    const { for_target, for_against } = contribution;
    parts.hidden = for_against === null;
    const terms = [
      h("i", { "data-role": "target" }, formatSigned(for_target)),
      h("i", { "data-role": "against" }, formatSigned(for_against)),
    ];
    if (for_against !== null) parts.replaceChildren("= ", terms[0] as Node, " − (", terms[1] as Node, ")");
    setText(classes, seen);
    const means = contribution.contributes_to.join(", ");
    classes.title = means
      ? `Classes of its strongest activations. On average it contributes to ${means}`
      : "Classes of its strongest activations";
    const description = `Unit ${unit} of ${layer}: contribution ${formatSigned(contribution.value)}. Open it in the LayerExplorer (Enter)`;
    button.title = description;
    button.setAttribute("aria-label", description);
    const now = [unit, place.id, place.image, place.maps, mosaics.projections, mosaics.patches];
    if (now.every((one, at) => one === drawn[at])) return;
    const isSame = unit === drawn[0] && place.id === drawn[1]; // after a switch, pictures stay until the new ones are there
    drawn = now;
    if (place.maps || !isSame) drawWhere(where, place, unit);
    for (const [target, bitmap] of [
      [projections, mosaics.projections],
      [patches, mosaics.patches],
    ] as const) {
      if (!bitmap && isSame) continue;
      const context = context2d(target);
      context.clearRect(0, 0, target.width, target.height);
      if (bitmap) context.drawImage(bitmap, 0, 0, target.width, target.height);
    }
    element.dataset.painted = String(Boolean(mosaics.patches && place.maps));
  };
  return { element, button, toggle: () => toggle(unit), update };
}

export type UnitRow = ReturnType<typeof createUnitRow>;
