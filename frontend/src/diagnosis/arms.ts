/** The curves of all arms side by side, and what was done to the network in the one that is shown. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { createAblationCode } from "./ablation_code.ts";
import { describeAliasing } from "./aliasing.ts";
import { createCurveChart, highestOf } from "./curve_chart.ts";
import { MANY } from "./curve_layers.ts";
import { strideMarks } from "./stride_marks.ts";
import { describeArm, describeWeights, signedPercent } from "./texts.ts";
import type { AblationCode, Arm, Curves } from "./wire.ts";

interface ArmsContent {
  arms: readonly Arm[];
  shown: number;
  shift: readonly [number, number];
  emphasised: string | null;
  ablation: AblationCode | null;
  busy: boolean;
  available: boolean;
}

interface Actions {
  pickArm: (arm: number) => void;
  pickShift: (shift: number) => void;
  /** A layer's curve is pointed at; null: none. */
  point: (layer: string | null) => void;
  undo: () => void;
  copy: (code: string) => void;
}

/** Return the shift that is shown, which may be between two measured ones; null if it is not within the curves. */
export function cursorOf(curves: Curves | null, [right, down]: readonly [number, number]): number | null {
  return curves && down === 0 && right >= 0 && right <= Math.max(...curves.shifts) ? right : null;
}

const HINT = "Try a surgery of a finding: it makes a second network, without training, whose curves and accuracy are drawn beside these.";

/** @param id unique in the page */
export function createArms({ id, pickArm, pickShift, point, undo, copy }: Actions & { id: string }) {
  const ablation = createAblationCode({ id, copy });
  const caption = h("p", { class: "dwn-small" });
  const charts = h("div", { class: "dwn-charts", "data-testid": "charts" });
  const note = h("p", { class: "dwn-small", "data-testid": "accuracy-note" });
  const aliased = h("p", { class: "dwn-small", "data-testid": "aliasing-note" });
  const button = h("button", { type: "button", class: "dwn-try", "data-testid": "undo", onclick: undo }, "Undo");
  const [name, steps, weights] = [h("b", {}), h("span", { class: "dwn-dim" }), h("p", { class: "dwn-dim" })];
  const plan = h("div", { class: "dwn-plan", "data-testid": "plan" }, h("p", {}, name, " ", steps), button, weights);
  const hint = h("p", { class: "dwn-dim" }, HINT);
  const element = h("section", { "aria-label": "Networks compared" }, caption, charts, note, aliased, plan, ablation.element, hint);
  let made = new Map<number, ReturnType<typeof createCurveChart>>();

  let drawn: ArmsContent | null = null;

  const update = (content: ArmsContent) => {
    const { arms, shown, ablation: code, busy, available } = content;
    drawn = content;
    ablation.update(code);
    const known = arms.map(({ arm }) => arm);
    if (known.length !== made.size || known.some((arm) => !made.has(arm))) {
      for (const [arm, chart] of made) if (!known.includes(arm)) chart.close();
      made = new Map(
        arms.map((arm) => [arm.arm, made.get(arm.arm) ?? createCurveChart({ arm, pickArm: () => pickArm(arm.arm), pickShift, point })]),
      );
      charts.replaceChildren(...[...made.values()].map((chart) => chart.element));
    }
    drawCharts(content);
    const first = arms.find(({ curves }) => curves)?.curves;
    setText(caption, first ? describeMeasure(first) : "Change by shift: the curves of every layer appear here.");
    setText(note, describeAccuracy(arms));
    setText(aliased, describeAliasing(arms));
    const arm = arms.find((one) => one.arm === shown);
    plan.hidden = !arm || arm.parent === null;
    hint.hidden = arms.length > 1;
    if (!arm) return;
    setText(name, arm.label);
    setText(steps, arm.steps.join(" "));
    setText(weights, `${describeWeights(arm)} · nothing trained`);
    button.disabled = busy || !available;
  };
  const drawCharts = ({ arms, shown, shift, emphasised }: ArmsContent) => {
    const highest = highestOf(arms.flatMap(({ curves }) => (curves ? [curves] : [])));
    const [base] = arms;
    for (const arm of arms) {
      const content = { arm, shown: arm.arm === shown, base: arm.parent === null ? null : (base?.curves ?? null), highest, emphasised };
      made.get(arm.arm)?.update({ ...content, cursor: cursorOf(arm.curves, shift), measuring: describeArm(arm) });
    }
  };
  const emphasise = (layer: string | null) => {
    if (drawn) drawCharts({ ...drawn, emphasised: layer });
  };
  const close = () => {
    for (const chart of made.values()) chart.close();
  };
  return { element, update, emphasise, close };
}

export function describeMeasure(curves: Curves): string {
  const { photographs, labelled, filled, reference, layers } = curves;
  const some = labelled < photographs ? ` (${formatCount(labelled, "labelled photograph")})` : "";
  const whose = reference === "label" ? `the true class’s probability${some}` : "the predicted class’s probability";
  const repeated = filled ? ` On ${formatCount(filled, "photograph")}, edge pixels are repeated where the photograph ends.` : "";
  const dotted = strideMarks(curves) ? " Vertical dotted lines: multiples of the stride that is written below." : "";
  const point = layers.length > MANY ? "; point at a curve or a layer" : "";
  const median = `median change of the strongest activation over active units, in % of it (blue, ${layers.length} layers${point})`;
  return `Change by shift to the right, ${formatCount(photographs, "photograph")}: ${median}; mean change of ${whose}, in points (red).${dotted}${repeated}`;
}

/** Return what the accuracies were measured on, or why there are none. */
export function describeAccuracy(arms: readonly Arm[]): string {
  const [base] = arms;
  if (!base?.accuracy) return base?.no_accuracy ? `No accuracy: ${base.no_accuracy}` : "";
  const on = `Top-1 on ${formatCount(base.accuracy.photographs, "labelled photograph")}`;
  const changed = arms.slice(1).flatMap(({ accuracy }) => (accuracy ? [accuracy.top1 - (base.accuracy?.top1 ?? 0)] : []));
  if (!changed.length) return `${on}.`;
  const [worst, best] = [Math.min(...changed), Math.max(...changed)].map((change) => signedPercent(change, 1, " points"));
  return `${on}: ${worst === best ? worst : `${worst} to ${best}`} without training. Fewer changes under shifts are not yet a better network.`;
}
