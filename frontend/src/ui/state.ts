/** A widget's state: compared, and written as Python. */

export function toPython(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(toPython).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${toPython(item)}`);
  return `{${pairs.join(", ")}}`;
}

/** Return whether two states are equal, whatever the order of their keys. */
export function sameState(one: object, other: object): boolean {
  const [ours, theirs] = [new Map(Object.entries(one)), new Map(Object.entries(other))];
  return ours.size === theirs.size && [...ours].every(([key, value]) => JSON.stringify(value) === JSON.stringify(theirs.get(key)));
}
