import type { Quantity } from "../kernel/wire.ts";
import { h } from "../ui/dom.ts";
import { createFeatureMap } from "./feature_map.ts";
import type { FeatureMapValues } from "./patch_editor.ts";
import { createProjections } from "./projections.ts";
import type { Scene } from "./store.ts";
import { createTargetClasses, type TargetClassesOptions } from "./target_classes.ts";
import type { ClassScore, HelloReply, OcclusionState } from "./wire.ts";

/** Create the middle column: class probabilities or values, the feature map, and its projections. */
export function createPredictions({ set, ...options }: TargetClassesOptions & { set: (patch: Partial<OcclusionState>) => void }) {
  const classes = createTargetClasses(options);
  const featureMap = createFeatureMap({ set });
  const projections = createProjections(options);
  const parts = [classes.element, featureMap.element, projections.element];
  const element = h("section", { class: "dwo-pane dwo-middle", "aria-label": "Predictions" }, ...parts);

  let quantity: Quantity | null = null;

  const update = (hello: HelloReply, scene: Scene | null, state: OcclusionState) => {
    quantity = hello.overview.quantity;
    classes.update(hello.classes, quantity, hello.bundled_head, state, hello.overview.units.length > 0);
    featureMap.update(scene, hello.layers, state);
  };
  /** Show the prediction for the image with the patches. */
  const showPrediction = (scores: ClassScore[], target: number | null, values: FeatureMapValues) => {
    classes.showScores(scores, target, quantity);
    featureMap.draw(values);
  };
  const { clearSearch } = classes;
  return { element, update, showPrediction, clearSearch, updateProjections: projections.update, close: projections.close };
}
