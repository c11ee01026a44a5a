/** The shift microscope: a photograph that is dragged, and what each layer computes of it. */
import { h } from "../ui/dom.ts";
import { createLayerRows } from "./layer_rows.ts";
import { createPhotographSteps } from "./photograph_steps.ts";
import { clampShift, createStage, type Shift } from "./stage.ts";
import type { DiagnosisStore, Shifted } from "./store.ts";
import type { DiagnosisState } from "./wire.ts";

const MARGIN = 32; // limit of the kernel

interface Microscope {
  store: DiagnosisStore;
  state: () => DiagnosisState;
  /** Set a part of the state. */
  set: (part: Partial<DiagnosisState>) => void;
  /** Draw at once: the photograph follows the pointer. */
  draw: () => void;
  point: (layer: string | null) => void;
  /** The values of a shift are in the page: `movedAt` is when the photograph was moved, null if it was not. */
  arrived: (shifted: Shifted, movedAt: number | null) => void;
  fail: (message: string) => void;
}

export function createMicroscope({ store, state, set, draw, point, arrived, fail }: Microscope) {
  let lastShifted: Shifted | undefined;
  /** When the shift was changed that is not yet shown. */
  let movedAt: number | null = null;

  const move = (shift: Shift) => {
    movedAt = performance.now();
    set({ shift: clampShift(shift, MARGIN) });
    draw(); // the request is sent at once
  };
  const step = createPhotographSteps({ store, current: () => state().image, show: (image) => set({ image }), fail });
  const stage = createStage({ move, step });
  const layers = createLayerRows({ pick: (unit) => set({ unit }), choose: (choice) => set({ layers: choice }), point });
  const element = h("div", { class: "dwn-microscope" }, stage.element, layers.element);

  /** @param arm the one that is shown: that of the state may be gone */
  const update = (arm: number) => {
    const { image, shift, layers: choice } = state();
    const photograph = store.photograph(image);
    const shifted = store.shifted(image, shift, arm, choice);
    if (shifted.value && shifted.value !== lastShifted) {
      arrived(shifted.value, movedAt);
      movedAt = null;
    }
    const of = lastShifted?.request;
    const stale = shifted.value === undefined && of?.image === image && of.arm === arm;
    const shown = shifted.value ?? (stale ? lastShifted : undefined);
    lastShifted = shifted.value ?? lastShifted;
    stage.update(photograph.value, photograph.error ?? shifted.error, shift, shown);
    layers.update(shown ?? lastShifted, shifted.value === undefined);
    return lastShifted !== undefined;
  };
  return { element, frame: stage.frame, update, move, step, emphasise: layers.emphasise };
}
