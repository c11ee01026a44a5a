/** What the views of the three tasks have in common. */
import type { EvaluationStore } from "./store.ts";
import type { Comparison, DataSummary, EvaluationState, RunSummary } from "./wire.ts";

/** A photograph whose prediction is to be explained: classes are given by name. */
export interface WhyRequest {
  source: number;
  truth: string | null;
  prediction: string | null;
}

export interface ViewOptions {
  /** Unique in the page. */
  id: string;
  store: EvaluationStore;
  set: (patch: Partial<EvaluationState>) => void;
  showStatus: (text: string) => void;
  why: (request: WhyRequest) => void;
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
