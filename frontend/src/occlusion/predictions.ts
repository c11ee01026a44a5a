import type { Quantity } from "../kernel/wire.ts";
import { h } from "../ui/dom.ts";
import type { ClassPair } from "./class_scores.ts";
import { createFeatureMap } from "./feature_map.ts";
import type { FeatureMapValues } from "./patch_editor.ts";
import { createProjections } from "./projections.ts";
import type { Scene } from "./store.ts";
import { createTargetClasses, type TargetClassesOptions } from "./target_classes.ts";
import type { ClassScore, HelloReply, OcclusionState } from "./wire.ts";

interface PredictionsOptions extends TargetClassesOptions {
  set: (patch: Partial<OcclusionState>) => void;
  /** The maps of two classes that are compared, in place of the feature map and its projections. */
  compared: HTMLElement;
}

/** Create the middle column: class probabilities or values, the feature map, and its projections. */
export function createPredictions({ set, compared, ...options }: PredictionsOptions) {
  const classes = createTargetClasses(options);
  const featureMap = createFeatureMap({ set });
  const projections = createProjections(options);
  const parts = [classes.element, compared, featureMap.element, projections.element];
  const element = h("section", { class: "dwo-pane dwo-middle", "aria-label": "Predictions" }, ...parts);

  let quantity: Quantity | null = null;

  const update = (hello: HelloReply, scene: Scene | null, state: OcclusionState) => {
    quantity = hello.overview.quantity;
    classes.update(hello.classes, quantity, hello.bundled_head, state, { scene, unitsOff: hello.overview.units.length > 0 });
    const isCompared = state.tab === "why" && hello.classes !== null;
    compared.hidden = !isCompared;
    featureMap.element.hidden = projections.element.hidden = isCompared;
    featureMap.update(scene, hello.layers, state);
  };
  /** Show the prediction for the image with the patches. */
  const showPrediction = (scores: ClassScore[], pair: ClassPair, values: FeatureMapValues) => {
    classes.showScores(scores, pair, quantity);
    featureMap.draw(values);
  };
  const { clearSearch } = classes;
  return { element, update, showPrediction, clearSearch, updateProjections: projections.update, close: projections.close };
}
