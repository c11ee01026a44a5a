/** Test photographs: grouped by their prediction in several folds, and described. */
import { formatPercent } from "../ui/format.ts";
import { OTHER_CLASS } from "./class_results.ts";
import { createPhotographStrip, type StripOptions } from "./photograph_strip.ts";
import type { TestPhotograph } from "./wire.ts";

/** A test photograph with all folds of the same prediction. */
export type GroupedTest = Omit<TestPhotograph, "fold"> & { folds: number[] };

/** Group the tests of a photograph in several folds by prediction, in order of first occurrence. */
export function groupTests(photographs: TestPhotograph[]): GroupedTest[] {
  const groups = new Map<string, GroupedTest>();
  for (const { fold, ...test } of photographs) {
    const key = `${test.source} ${test.prediction}`;
    const group = groups.get(key);
    const folds = fold === undefined ? [] : [fold];
    if (group) group.folds.push(...folds);
    else groups.set(key, { ...test, folds });
  }
  return [...groups.values()];
}

/** Return the name of the predicted class. */
export function predictionOf({ prediction, predicted_class: other }: Omit<TestPhotograph, "fold">, categories: string[]): string {
  const name = categories[prediction] ?? OTHER_CLASS;
  return name === OTHER_CLASS ? other || name : name;
}

/** Describe a photograph and its prediction. */
export function describeTest(test: GroupedTest, categories: string[]): string {
  const { name, truth, prediction, confidence, folds } = test;
  const confidenceText = confidence === null ? "" : `, ${formatPercent(confidence)}`;
  const predicted = truth === prediction ? "correctly" : predictionOf(test, categories);
  return [`${categories[truth]}, predicted ${predicted}${confidenceText}`, formatFolds(folds), name].filter(Boolean).join(" · ");
}

/** Return "fold 2", "folds 1, 3"; "" without folds. */
export function formatFolds(folds: number[]): string {
  if (!folds.length) return "";
  const numbers = [...folds].sort((a, b) => a - b).map((fold) => fold + 1);
  return `${numbers.length === 1 ? "fold" : "folds"} ${numbers.join(", ")}`;
}

/** Format the confidence and the folds of a test. */
export function formatConfidence({ confidence, folds }: GroupedTest): string {
  return [confidence === null ? "" : formatPercent(confidence), formatFolds(folds)].filter(Boolean).join(" · ");
}

/** Create a strip of test photographs. */
export function createTestStrip(options: Omit<StripOptions<GroupedTest>, "isRight" | "keyOf">) {
  const isRight = ({ truth, prediction }: GroupedTest) => truth === prediction;
  const keyOf = ({ source, prediction, folds }: GroupedTest) => `${source}/${prediction}/${folds.length}`;
  return createPhotographStrip<GroupedTest>({ ...options, isRight, keyOf });
}
