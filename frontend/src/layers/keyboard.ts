/** Keyboard actions of the LayerExplorer. */

export type Focus = "search" | "control" | "grid" | "mosaics" | "other";

export type KeyAction =
  | { type: "search" | "find" | "clearSearch" | "pin" | "bookmark" | "switch" | "open" | "grid" | "why" | "tree" }
  | { type: "layer"; index: number }
  | { type: "moveUnit" | "moveRank"; key: string };

const NAVIGATION_KEYS = /^(Arrow(Left|Right|Up|Down)|Home|End|PageUp|PageDown)$/;

/** Return the action of a key, or null if the explorer does not handle it. */
export function keyAction(key: string, focus: Focus): KeyAction | null {
  if (focus === "search") {
    if (key === "Enter") return { type: "find" };
    return key === "Escape" ? { type: "clearSearch" } : null;
  }
  if (focus === "control") return null; // selects handle their own keys
  if (key === "/") return { type: "search" };
  if (key === "p") return { type: "pin" };
  if (key === "b") return { type: "bookmark" };
  if (key === "x") return { type: "switch" };
  if (key === "w") return { type: "why" };
  if (key === "t") return { type: "tree" };
  if (/^[1-9]$/.test(key)) return { type: "layer", index: Number(key) - 1 };
  if (key === "Escape") return focus === "grid" ? null : { type: "grid" };
  if (key === "Enter" && focus === "grid") return { type: "open" };
  if (focus === "grid" && NAVIGATION_KEYS.test(key)) return { type: "moveUnit", key };
  if (focus === "mosaics" && NAVIGATION_KEYS.test(key)) return { type: "moveRank", key };
  return null;
}

/** Return the part of the explorer that contains an element. */
export function focusedPart(target: Element): Focus {
  if (target.closest("[data-part=layer-search], [data-part=factor], [data-part=where], .dwl-map, .dwx-units")) return "control";
  if (target.matches("input")) return "search";
  if (target.matches("select, textarea")) return "control";
  if (target.closest("[data-part=mosaics]")) return "mosaics";
  return target.closest("[data-part=grid]") ? "grid" : "other";
}
