import { h } from "./dom.js";

/* What leaves the page: figures as files, the state as text. */

/**
 * A state as Python writes it.
 * @param {any} value
 * @returns {string}
 */
export function toPython(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(toPython).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${toPython(item)}`);
  return `{${pairs.join(", ")}}`;
}

/**
 * What a downloaded figure is called.
 * @param {string} model @param {any} state @param {string} figure such as "unit.png"
 */
export function figureName(model, { layer, unit }, figure) {
  const [kind, suffix] = figure.split(".");
  return `${model}-${layer}${kind === "unit" ? `-unit${unit}` : ""}.${suffix}`.replace(/[^\w.-]+/g, "_");
}

/**
 * Hand a file to the browser's downloads.
 * @param {Blob} file @param {string} name
 */
export function download(file, name) {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000); // some browsers read it a while after the click
}

/**
 * Whether two states say the same, whatever the order of their keys.
 * @param {any} one @param {any} other
 */
export function sameState(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]));
}
