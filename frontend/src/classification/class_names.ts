/** Long class names are truncated in the middle: names such as "jeep (imagenet_03_990)" differ at the end only. */
import { h } from "../ui/dom.ts";

const TAIL = 7; // number of characters at the end that are kept
const MAX_UNCUT = 2 * TAIL - 2; // number of characters of names that are not truncated

/** Create an element with a class name that the page truncates in the middle. Its text content is the complete name. */
export function createClassName(name: string): HTMLElement {
  const parts = name.length > MAX_UNCUT ? [name.slice(0, -TAIL), name.slice(-TAIL)] : [name];
  return h("span", { class: "dwc-name" }, ...parts.map((part) => h("span", {}, part)));
}

/**
 * Truncate a name in the middle if it is wider than `maxWidth`.
 * @param width returns the width of a text, in the unit of `maxWidth`
 */
export function fitClassName(name: string, maxWidth: number, width: (text: string) => number): string {
  if (width(name) <= maxWidth) return name;
  const truncate = (kept: number) => {
    const tail = Math.min(TAIL, kept >> 1);
    return `${name.slice(0, kept - tail)}…${name.slice(name.length - tail)}`;
  };
  let [kept, maxKept] = [1, name.length - 1];
  while (kept < maxKept) {
    const middle = Math.ceil((kept + maxKept) / 2);
    if (width(truncate(middle)) <= maxWidth) kept = middle;
    else maxKept = middle - 1;
  }
  return truncate(kept);
}
