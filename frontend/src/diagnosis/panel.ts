import { errorMessage } from "../kernel/errors.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h, nextFrameDisplayed, setText } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu } from "../ui/export_menu.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import { isTyping } from "../ui/presentation.ts";
import { provenance, shortWarnings } from "../ui/provenance.ts";
import { createArmChoice } from "./arm_choice.ts";
import { createArms } from "./arms.ts";
import { neighbourFinding, shownFinding, shownUnit } from "./chosen.ts";
import { createEvidence } from "./evidence.ts";
import { FILES } from "./files.ts";
import { createFilterGrid } from "./filters.ts";
import { createFindings } from "./findings.ts";
import { createHistogram } from "./histogram.ts";
import { keyAction } from "./keyboard.ts";
import { createMicroscope } from "./microscope.ts";
import { createPhotographUpload } from "./photograph_upload.ts";
import { DiagnosisStore, type Shifted } from "./store.ts";
import { describeDiagnosis, describePhase } from "./texts.ts";
import type { Diagnosis, DiagnosisState, ReportFile, Surgery, UnitName } from "./wire.ts";

const KEYS: KeyHint[] = [
  [["↑", "↓"], "finding"],
  [["←", "→"], "shift"],
  [["T"], "try its first surgery"],
  [["U"], "undo surgery"],
  [["[", "]"], "photograph"],
];
const FOOTNOTE = "Every number names what it was measured on; mid-gray is zero.";

/** One view of a DiagnosisPanel. */
class DiagnosisView extends ExplorerView<DiagnosisState, DiagnosisStore> {
  private readonly armChoice = createArmChoice((arm) => this.set({ arm }));
  private readonly findings = createFindings({
    open: (finding) => this.set({ finding, unit: null }),
    pickUnit: (unit) => this.set({ unit }),
    trySurgery: (surgery) => void this.trySurgery(surgery),
  });
  private readonly phase = h("p", { role: "status", "data-testid": "phase" });
  private readonly progress = h("progress", { max: 1, "aria-label": "Diagnosis" });
  private readonly run = h("button", { type: "button", class: "dwn-try", "data-testid": "run", onclick: () => void this.startOrStop() });
  private readonly running = h("div", { class: "dwn-running" }, this.phase, this.progress, this.run);
  private readonly filters = createFilterGrid({ set: (sort) => this.set({ sort }), pick: (unit) => this.set({ unit }) });
  private readonly histogram = createHistogram();
  private readonly evidence = createEvidence({ store: this.store, open: (unit) => this.openUnit(unit) });
  private readonly noFilters = h("p", { class: "dwn-small" });
  private readonly microscope = createMicroscope({
    store: this.store,
    state: () => this.state,
    set: (part) => this.set(part),
    draw: () => this.drawAll(),
    point: (layer) => this.point(layer),
    arrived: (shifted, movedAt) => this.announce(shifted, movedAt),
    fail: (message) => this.showError(message),
  });
  private readonly upload = createPhotographUpload({
    client: this.store.client,
    stage: this.microscope.frame,
    uploaded: (image, message) => void this.uploaded(image, message),
  });
  private readonly arms = createArms({
    id: this.id,
    pickArm: (arm) => this.set({ arm }),
    pickShift: (right) => this.microscope.move([right, 0]),
    point: (layer) => this.point(layer),
    undo: () => void this.undo(),
    copy: (code) => this.copyText(code, "Copied the code."),
  });
  /** Whether a surgery is being made or undone. */
  private busy = false;
  /** The layer that is pointed at, or has the focus. */
  private pointed: string | null = null;

  constructor(context: RenderContext<DiagnosisState>, store: DiagnosisStore) {
    super(context, store, "panel", "diagnosis-panel");
    const menu = createExportMenu({ groups: FILES, save: (file) => this.save(file), copy: this.copy });
    this.findings.element.prepend(this.running);
    const middle = [this.filters.element, this.histogram.element, this.noFilters, this.evidence.element];
    const columns = [
      this.findings.element,
      h("section", { class: "dwn-column", "aria-label": "First layer and evidence" }, ...middle),
      h(
        "section",
        { class: "dwn-column", "aria-label": "Shift microscope" },
        this.upload.element,
        this.microscope.element,
        this.arms.element,
      ),
    ];
    this.mount({
      label: "Diagnosis panel",
      className: "dwn",
      tools: [this.armChoice.element, menu],
      main: [h("div", { class: "dwn-main" }, ...columns)],
      footer: [KEYS.map(keyHint), [h("span", { class: "dwx-hint" }, FOOTNOTE)]],
    });
  }

  override close(): void {
    for (const part of [this.histogram, this.arms, this.upload]) part.close();
    super.close();
  }

  override focusMain(): void {
    this.findings.focus();
  }

  protected override isLoaded({ image, shift, arm, layers }: DiagnosisState): boolean {
    return this.store.shifted(image, shift, arm, layers).value !== undefined;
  }

  protected override onResume(): void {
    this.requestDraw();
  }

  protected override draw(): void {
    const { hello, status } = this.store;
    if (!hello || !status) return;
    const diagnosis = this.store.diagnosis();
    const { overview } = hello;
    const title = diagnosis.value ? describeDiagnosis(diagnosis.value) : "";
    const notes = [...overview.notes, ...(diagnosis.value?.notes ?? [])];
    this.header?.update({ model: overview.model, title, warnings: shortWarnings(overview), origin: provenance(overview), notes });
    this.armChoice.update(status.arms, this.arm);
    this.drawPhase(diagnosis.error);
    this.drawDiagnosis(diagnosis.value);
    const ready = this.microscope.update(this.arm);
    this.microscope.emphasise(this.emphasised);
    this.arms.update({
      arms: status.arms,
      shown: this.arm,
      shift: this.state.shift,
      emphasised: this.emphasised,
      ablation: status.ablation,
      busy: this.busy,
      available: this.store.client.available,
    });
    this.root.dataset.ready = String(ready);
    this.root.dataset.diagnosed = String(status.phase === "done" && diagnosis.value !== undefined);
  }

  protected override onKey(event: KeyboardEvent): boolean {
    if (isTyping(event.target)) return false;
    const action = keyAction(event.key, event.target instanceof HTMLInputElement);
    if (!action) return false;
    const [right, down] = this.state.shift;
    if (action.type === "shift") this.microscope.move([right + action.right, down]);
    else if (action.type === "photograph") this.microscope.step(action.step);
    else if (action.type === "finding") this.moveFinding(action.step);
    else if (action.type === "undo") void this.undo();
    else this.tryFirst();
    return true;
  }

  /** The arm that is shown: that of the state may be gone. */
  private get arm(): number {
    return this.store.arm(this.state.arm)?.arm ?? 0;
  }

  /** The layer whose curve is emphasised: the one that is pointed at, else that of the chosen unit. */
  private get emphasised(): string | null {
    return this.pointed ?? this.state.unit?.[0] ?? null;
  }

  private point(layer: string | null): void {
    if (layer === this.pointed) return;
    this.pointed = layer;
    this.microscope.emphasise(this.emphasised);
    this.arms.emphasise(this.emphasised);
  }

  private drawPhase(error: string | undefined): void {
    const { status } = this.store;
    if (!status) return;
    const text = error ?? describePhase(status);
    const active = status.phase === "running" || status.phase === "waiting";
    this.running.hidden = !text;
    setText(this.phase, text);
    this.phase.classList.toggle("dwx-error", status.phase === "failed" || error !== undefined);
    this.progress.hidden = !active;
    const { done = 0, total = 0 } = status.progress ?? {};
    if (total) this.progress.value = done / total;
    else this.progress.removeAttribute("value");
    setText(this.run, active ? "Stop" : "Diagnose");
    this.run.disabled = !this.store.client.available;
  }

  private drawDiagnosis(diagnosis: Diagnosis | undefined): void {
    const first = diagnosis?.first_layer;
    for (const part of [this.filters, this.histogram]) part.element.hidden = !first;
    setText(this.noFilters, diagnosis && !first ? "The network has no convolution on its input: it has no filters to show." : "");
    if (!diagnosis) {
      this.findings.clear();
      this.evidence.element.hidden = true;
      return;
    }
    const [finding, unit] = [shownFinding(diagnosis, this.state), shownUnit(diagnosis, this.state)];
    const filters = first ? this.store.filters().value : undefined;
    const arms = this.store.status?.arms ?? [];
    const { available } = this.store.client;
    this.findings.update({ diagnosis, open: finding, unit, filters, arms, busy: this.busy, available });
    if (first) {
      this.filters.update({ first, filters, sort: this.state.sort, unit });
      this.histogram.update(first);
    }
    this.evidence.update(diagnosis, unit, finding);
  }

  /** Tell tests and benchmarks when the values of a shift are displayed. */
  private announce({ request: { right, down, arm } }: Shifted, movedAt: number | null): void {
    void nextFrameDisplayed().then(() => {
      const ms = movedAt === null ? undefined : performance.now() - movedAt;
      this.painted({ kind: "shifted", right, down, arm, ...(ms === undefined ? {} : { ms }) });
    });
  }

  private moveFinding(step: number): void {
    const diagnosis = this.store.diagnosis().value;
    const next = diagnosis && neighbourFinding(diagnosis, this.state, step);
    if (!next) return;
    this.set({ finding: next.check, unit: null });
    this.drawAll();
    this.findings.focus();
  }

  private tryFirst(): void {
    const diagnosis = this.store.diagnosis().value;
    const surgery = diagnosis && shownFinding(diagnosis, this.state)?.surgeries[0];
    if (surgery) void this.trySurgery(surgery);
    else this.showStatus("This finding has no surgery to try.");
  }

  private async trySurgery(surgery: Surgery): Promise<void> {
    const made = `Changing the network: ${surgery.label}…`;
    await this.change("add_arm", { surgery, parent: this.arm }, made);
  }

  private async undo(): Promise<void> {
    if (!this.arm) this.showStatus("Nothing was changed in the network as it is.");
    else await this.change("remove_arm", { arm: this.arm }, "Undoing…");
  }

  /** Make or undo a surgery, and show the arm that is returned. Do nothing while an earlier request is pending. */
  private async change(kind: "add_arm" | "remove_arm", fields: Record<string, unknown>, status: string): Promise<void> {
    if (this.busy) return;
    this.onUserAction();
    this.busy = true;
    this.showStatus(status);
    try {
      const reply = await this.store.client.request<{ arm: number }>(kind, fields, { policy: "once", lane: "work" });
      await this.store.refreshStatus();
      if (reply) this.set({ arm: reply.content.arm });
    } catch (error) {
      this.showError(errorMessage(error));
      this.clearStatus(status);
    }
    this.busy = false;
    this.requestDraw();
  }

  private async startOrStop(): Promise<void> {
    const { phase } = this.store.status ?? { phase: "none" };
    this.onUserAction();
    try {
      await this.store.client.request(phase === "running" || phase === "waiting" ? "stop" : "start", {}, { policy: "once" });
    } catch (error) {
      this.showError(errorMessage(error));
    }
    await this.store.refreshStatus();
  }

  /** Show an uploaded photograph, which is then beside the others. */
  private async uploaded(image: string, message: string): Promise<void> {
    await this.store.refreshStatus();
    this.set({ image });
    this.showStatus(message);
  }

  private openUnit([layer, unit]: UnitName): void {
    void this.showing?.show("LayerExplorer", { state: { layer, unit } });
  }

  private save(file: ReportFile): void {
    if (this.store.diagnosis().value) void this.download("file", { file }, file);
    else this.showStatus("There is nothing to export before the diagnosis.");
  }
}

export default defineWidget<DiagnosisState, DiagnosisStore>(
  (model) => new DiagnosisStore(model),
  (context, store) => new DiagnosisView(context, store),
);
