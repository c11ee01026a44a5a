/** What the views of the three tasks have in common. */
import type { EvaluationStore } from "./store.ts";
import type { Comparison, DataSummary, EvaluationState, RunSummary } from "./wire.ts";

export interface ViewOptions {
  /** Unique in the page. */
  id: string;
  store: EvaluationStore;
  set: (patch: Partial<EvaluationState>) => void;
  showStatus: (text: string) => void;
  /**
   * Show why the model predicts what it does for a photograph of the shown run.
   * @param target the name of the model's class or output to explain; null: the predicted class
   */
  why: (source: number, target: string | null) => void;
}

export interface ViewContent<Results> {
  state: EvaluationState;
  summary: RunSummary | null;
  /** Null before they are loaded. */
  results: Results | null;
  /** The classes of the selected image set; null before they are loaded. */
  data: DataSummary | null;
  comparison: Comparison | null;
  /** Why there is no comparison; null if nothing was evaluated before. */
  comparisonProblem: string | null;
}
