/** Keyboard actions of the EvolutionExplorer. */

export type Focus = "text" | "control" | "mosaics" | "button" | "other";

export type KeyAction =
  | { type: "epoch"; to: "next" | "previous" | "first" | "last" }
  | { type: "unit"; step: 1 | -1 }
  | { type: "layer"; step: 1 | -1 }
  | { type: "rank"; key: string }
  | { type: "play" | "open" | "enlarge" | "rows" };

const EPOCHS: Record<string, "next" | "previous" | "first" | "last"> = {
  ArrowRight: "next",
  ArrowLeft: "previous",
  Home: "first",
  End: "last",
};
const NAVIGATION_KEYS = /^(Arrow(Left|Right|Up|Down)|Home|End)$/;

/** Return the action of a key, or null if the explorer does not handle it. */
export function keyAction(key: string, focus: Focus): KeyAction | null {
  if (focus === "text") return null;
  if (key === "e") return { type: "enlarge" };
  if (key === " ") return focus === "other" || focus === "control" ? { type: "play" } : null;
  if (key === "Escape") return focus === "other" ? null : { type: "rows" };
  if (focus === "control") return null; // a slider handles its own keys
  if (focus === "mosaics") return NAVIGATION_KEYS.test(key) ? { type: "rank", key } : null; // Enter clicks
  if (key === "Enter") return focus === "button" ? null : { type: "open" };
  const to = EPOCHS[key];
  if (to) return { type: "epoch", to };
  if (key === "ArrowDown" || key === "ArrowUp") return { type: "unit", step: key === "ArrowDown" ? 1 : -1 };
  if (key === "PageDown" || key === "PageUp") return { type: "layer", step: key === "PageDown" ? 1 : -1 };
  return null;
}

/** Return the part of the explorer that contains an element. */
export function focusedPart(target: Element): Focus {
  if (target.matches("input:not([type=range]), textarea, select")) return "text";
  if (target.matches("input")) return "control";
  if (target.closest("[data-part=mosaics]")) return "mosaics";
  return target.matches("button, a") ? "button" : "other";
}
