import { errorMessage } from "../kernel/errors.ts";
import type { DiagnosisStore } from "./store.ts";

export interface PhotographSteps {
  store: DiagnosisStore;
  /** Return the photograph that is shown. */
  current: () => string;
  show: (image: string) => void;
  fail: (message: string) => void;
}

/** Return a function that shows the photograph a number of places after the current one. Steps of fast key presses are all taken. */
export function createPhotographSteps({ store, current, show, fail }: PhotographSteps): (step: number) => void {
  let last: Promise<void> = Promise.resolve();
  const take = async (step: number) => {
    try {
      const image = await store.neighbour(current(), step);
      if (image) show(image);
    } catch (error) {
      fail(errorMessage(error));
    }
  };
  return (step) => {
    last = last.then(() => take(step));
  };
}
