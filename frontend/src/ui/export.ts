import { h } from "./dom.ts";

/* What leaves the page: figures as files, the state as text. */

/** A state as Python writes it. */
export function toPython(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(toPython).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${toPython(item)}`);
  return `{${pairs.join(", ")}}`;
}

/**
 * What a downloaded figure is called.
 * @param figure such as "unit.png"
 */
export function figureName(model: string, { layer, unit }: { layer: string; unit: number | null }, figure: string) {
  const [kind, suffix] = figure.split(".");
  return `${model}-${layer}${kind === "unit" ? `-unit${unit}` : ""}.${suffix}`.replace(/[^\w.-]+/g, "_");
}

/** Hand a file to the browser's downloads. */
export function download(file: Blob, name: string) {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000); // some browsers read it a while after the click
}

/** Whether two states say the same, whatever the order of their keys. */
export function sameState(one: object, other: object) {
  const [ours, theirs] = [one, other].map((state) => new Map(Object.entries(state).map(([name, value]) => [name, JSON.stringify(value)])));
  return ours?.size === theirs?.size && [...(ours ?? [])].every(([name, value]) => theirs?.get(name) === value);
}
