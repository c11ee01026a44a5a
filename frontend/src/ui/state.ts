/** Comparison of widget states, and their representation as Python code. */

export function toPython(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(toPython).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${toPython(item)}`);
  return `{${pairs.join(", ")}}`;
}

/** Return whether two states are equal, regardless of the order of their keys. */
export function sameState(first: object, second: object): boolean {
  const [firstEntries, secondEntries] = [new Map(Object.entries(first)), new Map(Object.entries(second))];
  return (
    firstEntries.size === secondEntries.size &&
    [...firstEntries].every(([key, value]) => JSON.stringify(value) === JSON.stringify(secondEntries.get(key)))
  );
}
