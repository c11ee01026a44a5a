/** Long class names are cut in the middle: what tells "jeep (imagenet_03_990)" from the next one is at the end. */
import { h } from "../ui/dom.ts";

const TAIL = 7; // characters of the end that stay
const SHORT = 2 * TAIL - 2; // characters up to which a name is not cut

/** Return a name that the page cuts in its middle where it lacks the room; its text is the whole name. */
export function createClassName(name: string): HTMLElement {
  const parts = name.length > SHORT ? [name.slice(0, -TAIL), name.slice(-TAIL)] : [name];
  return h("span", { class: "dwt-name" }, ...parts.map((part) => h("span", {}, part)));
}

/**
 * Return a name with its middle cut out where it would be too wide.
 * @param width returns the width of a text, in the unit of `room`
 */
export function fitClassName(name: string, room: number, width: (text: string) => number): string {
  if (width(name) <= room) return name;
  const cut = (kept: number) => {
    const tail = Math.min(TAIL, kept >> 1);
    return `${name.slice(0, kept - tail)}…${name.slice(name.length - tail)}`;
  };
  let [kept, most] = [1, name.length - 1];
  while (kept < most) {
    const middle = Math.ceil((kept + most) / 2);
    if (width(cut(middle)) <= room) kept = middle;
    else most = middle - 1;
  }
  return cut(kept);
}
