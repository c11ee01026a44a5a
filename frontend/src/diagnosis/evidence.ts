/** The evidence of a unit: a filter of the first layer with its spectrum, and the strongest activations as patches and projections. */
import { context2d, h, setText } from "../ui/dom.ts";
import { createFilterTile } from "./filter_tile.ts";
import type { DiagnosisStore, Spectrum, UnitPictures } from "./store.ts";
import { UNIT_TILE } from "./store.ts";
import { describeFilter, frequencyText, strideText, unitText } from "./texts.ts";
import type { Diagnosis, Finding, UnitName } from "./wire.ts";

const SHOWN = 4; // strongest activations
const GAP = 2; // between tiles of the kernel's mosaics
const COLUMNS = 3;

export function createEvidence({ store, open }: { store: DiagnosisStore; open: (unit: UnitName) => void }) {
  const name = h("b", { "data-testid": "evidence-unit" });
  const text = h("span", { "data-testid": "evidence-text" });
  const link = h("button", { type: "button", class: "dwn-link", "data-testid": "open-unit" }, "Open in a LayerExplorer");
  const filter = createFilterTile();
  const spectrum = createSpectrum();
  const filterPart = figure("Filter", filter.canvas);
  const spectrumPart = figure("Its spectrum", spectrum.element);
  const [patches, projections] = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
  const message = h("p", { class: "dwn-small" });
  const strongest = h("div", { class: "dwn-strips" }, patches, projections, message);
  const strongestPart = figure("Strongest four: patches, projections", strongest);
  const parts = h("div", { class: "dwn-evidence-parts" }, filterPart, spectrumPart, strongestPart);
  const head = h("div", { class: "dwn-evidence-head" }, name, text, h("span", { class: "dwn-space" }), link);
  const element = h("section", { class: "dwn-evidence", "aria-label": "Evidence", "data-testid": "evidence" }, head, parts);
  let shown: UnitName | null = null;
  link.addEventListener("click", () => shown && open(shown));

  const update = (diagnosis: Diagnosis, unit: UnitName | null, finding: Finding | undefined) => {
    element.hidden = unit === null;
    shown = unit;
    if (!unit) return;
    const [layer, number] = unit;
    const first = diagnosis.first_layer;
    const isFilter = first !== null && (layer === first.alias || layer === first.name) && number < first.centre.length;
    const found = finding?.units.find((one) => one.layer === layer && one.unit === number);
    setText(name, unitText(unit));
    setText(text, isFilter ? describeFilter(first, number) : (found?.text ?? ""));
    filterPart.hidden = spectrumPart.hidden = !isFilter;
    if (isFilter) {
      filter.draw(store.filters().value, number);
      const square = first.stride.some((step) => step > 1) ? `; the square is what stride ${strideText(first)} carries, up to ` : "";
      spectrum.update(store.spectrum(number).value, square && `Spectrum${square}${frequencyText(first.carried)} cycles per pixel`);
    }
    const { value, error } = store.unitPictures(unit);
    drawStrip(patches, value, "patches", `Patches of ${unitText(unit)}`);
    drawStrip(projections, value, "projections", `Projections of ${unitText(unit)}`);
    setText(message, error ?? (value ? "" : "Loading…"));
    link.hidden = error !== undefined; // a unit without pictures, such as that of a fully connected layer
  };
  return { element, update };
}

function figure(caption: string, content: Element): HTMLElement {
  return h("figure", { class: "dwn-figure" }, h("figcaption", { class: "dwn-small" }, caption), content);
}

/** Draw the first tiles of a mosaic side by side. */
function drawStrip(canvas: HTMLCanvasElement, pictures: UnitPictures | undefined, part: keyof UnitPictures, label: string): void {
  const bitmap = pictures?.[part];
  canvas.hidden = !bitmap;
  if (!bitmap) return;
  canvas.setAttribute("aria-label", label);
  const width = SHOWN * (UNIT_TILE + GAP) - GAP;
  if (canvas.width !== width) Object.assign(canvas, { width, height: UNIT_TILE });
  const context = context2d(canvas);
  context.clearRect(0, 0, width, UNIT_TILE);
  const step = UNIT_TILE + GAP;
  for (let rank = 0; rank < SHOWN; rank += 1) {
    const [x, y] = [(rank % COLUMNS) * step, Math.floor(rank / COLUMNS) * step];
    context.drawImage(bitmap, x, y, UNIT_TILE, UNIT_TILE, rank * step, 0, UNIT_TILE, UNIT_TILE);
  }
}

/** Create the picture of a spectrum, with a square around the frequencies that the stride carries. */
function createSpectrum() {
  const canvas = h("canvas", { role: "img" });
  const square = h("s", {});
  const element = h("div", { class: "dwn-spectrum" }, canvas, square);
  let drawn: Spectrum | undefined;
  const update = (spectrum: Spectrum | undefined, description: string) => {
    square.hidden = !description || !spectrum;
    canvas.setAttribute("aria-label", description || "Spectrum");
    element.title = description;
    if (!spectrum || spectrum === drawn) return;
    drawn = spectrum;
    const { side, values, carried } = spectrum;
    Object.assign(canvas, { width: side, height: side });
    const pixels = new Uint8ClampedArray(4 * side * side);
    for (let cell = 0; cell < side * side; cell += 1) pixels.set([0, 0, 0].fill(255 * (values[cell] ?? 0)).concat(255), 4 * cell);
    context2d(canvas).putImageData(new ImageData(pixels, side, side), 0, 0);
    const share = 100 * Math.min(1, 2 * carried);
    square.style.cssText = `width: ${share}%; height: ${share}%; left: ${50 - share / 2}%; top: ${50 - share / 2}%`;
  };
  return { element, update };
}
