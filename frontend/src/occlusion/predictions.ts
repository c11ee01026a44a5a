import { h } from "../ui/dom.ts";
import { createFeatureMap } from "./feature_map.ts";
import type { FeatureMapValues } from "./patch_editor.ts";
import { createProjections } from "./projections.ts";
import type { Scene } from "./store.ts";
import { createTargetClasses, type TargetClassesOptions } from "./target_classes.ts";
import type { ClassProbability, HelloReply, OcclusionState } from "./wire.ts";

/** The middle column: class probabilities, the feature map, and its projections. */
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
  /** Show what the network says of the image with the patches. */
  const showAnswer = (probabilities: ClassProbability[], target: number | null, seen: FeatureMapValues) => {
    classes.showProbabilities(probabilities, target);
    featureMap.draw(seen);
  };
  const { clearSearch } = classes;
  return { element, update, showAnswer, clearSearch, updateProjections: projections.update, close: projections.close };
}
