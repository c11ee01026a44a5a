/** The LayerExplorer's keys. */

export type Focus = "search" | "control" | "grid" | "mosaics" | "other";

export type KeyAction =
  | { act: "search" | "find" | "clearSearch" | "pin" | "open" | "grid" }
  | { act: "layer"; index: number }
  | { act: "moveUnit" | "moveRank"; key: string };

const MOVES = /^(Arrow(Left|Right|Up|Down)|Home|End|PageUp|PageDown)$/;

/** Return what a key does, null where it is not the explorer's. */
export function keyAction(key: string, focus: Focus): KeyAction | null {
  if (focus === "search") {
    if (key === "Enter") return { act: "find" };
    return key === "Escape" ? { act: "clearSearch" } : null;
  }
  if (focus === "control") return null; // a select opens and moves with its own keys
  if (key === "/") return { act: "search" };
  if (key === "p") return { act: "pin" };
  if (/^[1-9]$/.test(key)) return { act: "layer", index: Number(key) - 1 };
  if (key === "Escape") return focus === "grid" ? null : { act: "grid" };
  if (key === "Enter" && focus === "grid") return { act: "open" };
  if (focus === "grid" && MOVES.test(key)) return { act: "moveUnit", key };
  if (focus === "mosaics" && MOVES.test(key)) return { act: "moveRank", key };
  return null;
}

/** Return where the focus is. */
export function focusOf(target: Element): Focus {
  if (target.matches("input")) return "search";
  if (target.matches("select, textarea")) return "control";
  if (target.closest("[data-part=mosaics]")) return "mosaics";
  return target.closest("[data-part=grid]") ? "grid" : "other";
}
