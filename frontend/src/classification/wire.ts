/** Messages of the kernel about test photographs, which several widgets have in common. */

/** A labelled photograph and its prediction. */
export interface TestPhotograph {
  /** The number of the photograph in its image set. */
  source: number;
  name: string;
  /** Without folds, each photograph is tested once. */
  fold?: number;
  truth: number;
  prediction: number;
  /** The name of the predicted class, if it is none of those that are evaluated. */
  predicted_class?: string;
  confidence: number | null;
}

/** Reply to `photographs`. */
export interface PhotographsReply<Photograph = TestPhotograph> {
  photographs: Photograph[];
  total: number;
}
