import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { ImageBrowser } from "../occlusion/image_browser.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu, type ExportGroup, exportName } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import { describeUpload, ImageUpload } from "../ui/image_upload.ts";
import { provenance, shortWarnings } from "../ui/provenance.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import { formatAmount } from "./amounts.ts";
import { createCharts } from "./charts.ts";
import { createClasses } from "./classes.ts";
import { createLayerChoice } from "./layer_choice.ts";
import { createPhotographs } from "./photographs.ts";
import { createSliders } from "./sliders.ts";
import { createStage } from "./stage.ts";
import { InvarianceStore, type View } from "./store.ts";
import { createUnits } from "./units.ts";
import type { HelloReply, InvarianceFile, InvarianceState, Measure, Tab, Transform } from "./wire.ts";

const MAX_IMAGES = 12;
const FILES: ExportGroup<InvarianceFile>[] = [
  [
    "Curves",
    [
      ["curves.png", "PNG"],
      ["curves.svg", "SVG"],
      ["curves.pdf", "PDF"],
      ["curves.html", "HTML"],
    ],
  ],
  ["Distances and probabilities", [["curves.csv", "CSV"]]],
];
const MEASURES: [Measure, string, string][] = [
  ["relative", "relative", "Euclidean distance of the features, divided by the norm of those of the photograph as it is"],
  ["distance", "Euclidean", "Euclidean distance of the features, as in the paper's figure 5"],
];

/** One view of an InvarianceExplorer. */
class InvarianceView extends ExplorerView<InvarianceState, InvarianceStore> {
  private readonly sliders = createSliders({ set: (patch) => this.set(patch) });
  private readonly stage = createStage();
  private readonly charts = createCharts({ set: (patch) => this.set(patch) });
  private readonly classes = createClasses();
  private readonly layers = createLayerChoice({ set: (patch) => this.set(patch) });
  private readonly strongest = createUnits({ store: this.store, redraw: () => this.requestDraw(), open: (unit) => this.openUnit(unit) });
  private readonly strip = createPhotographs({ store: this.store, set: (patch) => this.set(patch), add: () => this.addPhotographs() });
  private readonly measures = createRadioGroup({
    label: "Distance",
    prefix: "measure",
    testid: "measures",
    choices: MEASURES,
    pick: (measure) => this.set({ measure }),
  });
  private readonly layer = createSelect({ label: "of", testid: "unit-layer", choices: [], pick: (layer: string) => this.set({ layer }) });
  private readonly uploadStatus = h("p", { class: "dwi-note", role: "status", "data-testid": "upload-words" });
  private readonly upload: ImageUpload;
  private readonly browser: ImageBrowser;
  private readonly tabs: ReturnType<typeof createTabs<Tab>>;
  private lastView: View | undefined;

  constructor(context: RenderContext<InvarianceState>, store: InvarianceStore) {
    super(context, store, "explorer", "invariance-explorer");
    this.upload = new ImageUpload({
      client: store.client,
      buttonClass: "dwo-button",
      done: (image, name, ignored) => this.uploaded(image, describeUpload(name, ignored)),
      showStatus: (text, isError) => this.showUpload(text, isError),
    });
    this.browser = new ImageBrowser(store.client, (image) => this.pickImage(image), this.upload.button, this.upload.input);
    const images = h("div", { class: "dwo dwi-browser" }, this.uploadStatus, this.browser.element);
    this.upload.acceptDrops(images, (shown) => images.classList.toggle("dwo-dropping", shown));
    const head = h("div", { class: "dwi-unit-head" }, h("h3", {}, "Strongest units"), this.layer.element);
    const units = h(
      "div",
      { class: "dwi-details" },
      this.classes.element,
      h("section", { class: "dwi-part" }, head, this.strongest.element),
    );
    const panels = { units, images };
    const tabs = [["units", "Classes and units"] as const, ["images", "Photographs"] as const];
    this.tabs = createTabs<Tab>({
      id: this.id,
      label: "Details",
      testid: "tabs",
      prefix: "tab",
      tabs,
      panels,
      pick: (tab) => this.set({ tab }),
    });
    const menu = createExportMenu({ groups: FILES, save: (file) => void this.save(file), copy: this.copy });
    const left = h("div", { class: "dwi-left" }, this.stage.element, this.sliders.element);
    const middle = h("div", { class: "dwi-middle" }, this.charts.element, this.strip.element);
    const right = h("div", { class: "dwi-right" }, this.tabs.element, units, images);
    this.mount({
      label: "Invariance explorer",
      className: "dwi",
      tools: [this.layers.element, this.measures.element, menu],
      main: [h("div", { class: "dwi-main" }, left, middle, right)],
      footer: [
        [keyHint([["←", "→"], "amount"]), keyHint([["↑", "↓"], "photograph"]), keyHint([["0"], "as it is"]), keyHint([["Esc"], "leave"])],
      ],
    });
  }

  override close(): void {
    this.charts.close();
    this.strongest.close();
    this.upload.close();
    this.browser.close();
    super.close();
  }

  override focusMain(): void {
    this.sliders.focus(this.state.transform);
  }

  protected override isLoaded(state: InvarianceState): boolean {
    return this.store.view(this.root, state).value !== undefined;
  }

  protected override alertText(): string {
    return super.alertText() || (this.store.hello ? (this.store.view(this.root, this.state).error ?? "") : "");
  }

  protected override draw(): void {
    const { state, store } = this;
    const { hello } = store;
    const transform = hello?.transforms.find(({ name }) => name === state.transform);
    if (!hello || !transform) return;
    this.drawHeader(hello, transform);
    this.sliders.update(hello.transforms, state);
    this.layers.update(hello.layers, state.layers);
    this.measures.show(state.measure);
    this.drawLayerSelect(hello.layers);
    this.tabs.show(state.tab);
    if (state.tab === "images") this.browser.open();
    this.browser.select(state.image);
    const { value } = store.view(this.root, state);
    const view = value ?? this.lastView;
    this.lastView = view;
    const curves = this.curvesInOrder();
    this.charts.update({
      hello,
      state,
      transform,
      curves: curves.map((one) => one.value),
      view: value,
      lastTarget: view?.classes[0]?.name,
    });
    this.strip.update(state, curves, hello.overview.quantity);
    if (view) this.drawView(view, transform, hello.fill);
    if (value) this.strongest.update(state, value);
    this.root.dataset.ready = String(value !== undefined && curves.every((one) => one.value || one.error));
    if (value) this.painted({ kind: "view", amount: state.amount, transform: state.transform });
  }

  protected override onKey({ key, target }: KeyboardEvent): boolean {
    const transform = this.store.hello?.transforms.find(({ name }) => name === this.state.transform);
    if (!transform || (target instanceof HTMLElement && target.matches("input:not([type=range]), select, [role=tab], [role=radio]")))
      return false;
    const onSlider = target instanceof HTMLElement && target.matches("input[type=range]");
    if (key === "0") return this.set({ amount: transform.neutral }) || true;
    if (key === "ArrowUp" || key === "ArrowDown") {
      const { images, image } = this.state;
      const place = images.indexOf(image) + (key === "ArrowDown" ? 1 : -1);
      const next = images[(place + images.length) % images.length];
      return next !== undefined && (this.set({ image: next }) || true);
    }
    if (onSlider || (key !== "ArrowLeft" && key !== "ArrowRight")) return false;
    this.sliders.focus(transform.name);
    return true;
  }

  /** Return the curves of each photograph; those of the chosen one are requested first. */
  private curvesInOrder() {
    const { images, image } = this.state;
    this.store.curves(image, this.state);
    return images.map((one) => this.store.curves(one, this.state));
  }

  private drawHeader({ overview }: HelloReply, transform: Transform): void {
    const { model, notes } = overview;
    const title = `${transform.label.toLowerCase()} ${formatAmount(transform, this.state.amount)}`;
    this.header?.update({ model, title, warnings: shortWarnings(overview), origin: provenance(overview), notes });
  }

  private drawLayerSelect(layers: string[]): void {
    const { select } = this.layer;
    if (select.options.length !== layers.length) select.replaceChildren(...layers.map((name) => new Option(name)));
    select.value = this.state.layer;
  }

  private drawView(view: View, transform: Transform, fill: string): void {
    const { amount } = this.state;
    this.stage.update(view, `${transform.label.toLowerCase()} ${formatAmount(transform, amount)}`, fill);
    this.classes.update(view);
  }

  private addPhotographs(): void {
    this.set({ tab: "images" });
    this.browser.search.focus();
  }

  private pickImage(image: string): void {
    const { images } = this.state;
    if (images.includes(image)) this.set({ image });
    else if (images.length < MAX_IMAGES) this.set({ image, images: [...images, image] });
    else this.showStatus(`Curves are drawn of at most ${MAX_IMAGES} photographs: remove one first.`);
  }

  private uploaded(image: string, message: string): void {
    this.browser.invalidate(); // uploads are listed first
    this.pickImage(image);
    this.showUpload(message, false);
  }

  private showUpload(text: string, isError: boolean): void {
    setText(this.uploadStatus, text);
    this.uploadStatus.classList.toggle("dwx-error", isError);
  }

  private openUnit(unit: number): void {
    void this.showing?.show("LayerExplorer", { state: { layer: this.state.layer, unit } });
  }

  private async save(file: InvarianceFile): Promise<void> {
    const { hello } = this.store;
    if (!hello) return;
    const [, suffix = ""] = file.split(".");
    await this.download("file", { figure: file, state: this.state }, exportName([hello.overview.model, this.state.transform], suffix));
  }
}

export default defineWidget<InvarianceState, InvarianceStore>(
  (model) => new InvarianceStore(model),
  (context, store) => new InvarianceView(context, store),
);
