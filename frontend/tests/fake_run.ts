import type { RunSummary } from "../src/transfer/wire.ts";

export function makeSummary(changes: Partial<RunSummary> = {}): RunSummary {
  return {
    run: 1,
    phase: "done",
    dataset: "Caltech-101",
    layer: "pool5",
    images_per_class: 30,
    folds: 5,
    weight_decay: null,
    views: "one",
    per_fold: [],
    weight_decays: [],
    temperatures: [],
    calibration: null,
    features: "",
    seconds: 0,
    steps: 0,
    progress: null,
    problem: null,
    curve: null,
    paper: [],
    classes: 3,
    mean: null,
    std: null,
    ...changes,
  };
}
