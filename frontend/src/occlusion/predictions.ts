import { h } from "../ui/dom.ts";
import { createFeatureMap } from "./feature_map.ts";
import type { FeatureMapValues } from "./patch_editor.ts";
import { createProjections } from "./projections.ts";
import type { Scene } from "./store.ts";
import { createTargetClasses, type TargetClassesOptions } from "./target_classes.ts";
import type { ClassProbability, HelloReply, OcclusionState } from "./wire.ts";

/** Create the middle column: class probabilities, the feature map, and its projections. */
export function createPredictions({ set, ...options }: TargetClassesOptions & { set: (patch: Partial<OcclusionState>) => void }) {
  const classes = createTargetClasses(options);
  const featureMap = createFeatureMap({ set });
  const projections = createProjections();
  const parts = [classes.element, featureMap.element, projections.element];
  const element = h("section", { class: "dwo-pane dwo-middle", "aria-label": "Predictions" }, ...parts);

  const update = (hello: HelloReply, scene: Scene | null, state: OcclusionState) => {
    classes.update(hello.classes, hello.bundled_head, state);
    featureMap.update(scene, hello.layers, state);
  };
  /** Show the prediction for the image with the patches. */
  const showPrediction = (probabilities: ClassProbability[], target: number | null, values: FeatureMapValues) => {
    classes.showProbabilities(probabilities, target);
    featureMap.draw(values);
  };
  const { clearSearch } = classes;
  return { element, update, showPrediction, clearSearch, updateProjections: projections.update, close: projections.close };
}
