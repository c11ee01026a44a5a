/** Keyboard actions of two models' layers side by side. */
import type { Side } from "./wire.ts";

export type PairAction =
  | { type: "search" | "leave" | "number" | "maps" | "why" }
  | { type: "layer"; index: number }
  | { type: "pin"; side: Side }
  | { type: "open"; side: Side | null } // null: of the selected activation
  | { type: "movePair" | "moveRank"; key: string };

export type Focus = "search" | "control" | "grid" | "mosaics" | "other";

const NAVIGATION_KEYS = /^(Arrow(Left|Right|Up|Down)|Home|End|PageUp|PageDown)$/;
const LETTERS = { "/": "search", n: "number", m: "maps", w: "why" } as const;

export const KEY_HINTS = [
  [["←", "↑", "↓", "→"], "move"],
  [["a", "b"], "details of A, of B"],
  [["p"], "pin A, with Shift B"],
  [["n"], "pair by number"],
  [["/"], "search"],
  [["m"], "maps"],
  [["w"], "why"],
  [["1"], "… layer"],
  [["Esc"], "leave"],
] as const;

/** Return the action of a key, or null if there is none. */
export function pairAction(key: string, focus: Focus): PairAction | null {
  if (focus === "search") return key === "Escape" ? { type: "leave" } : null;
  if (focus === "control") return null;
  if (key === "Escape") return { type: "leave" };
  if (/^[1-9]$/.test(key)) return { type: "layer", index: Number(key) - 1 };
  if (key === "p" || key === "P") return { type: "pin", side: key === "P" ? "b" : "a" };
  if (key in LETTERS) return { type: LETTERS[key as keyof typeof LETTERS] };
  if (key === "a" || key === "b") return { type: "open", side: key };
  if (focus === "grid" && key === "Enter") return { type: "open", side: null };
  if (focus === "grid" && NAVIGATION_KEYS.test(key)) return { type: "movePair", key };
  if (focus === "mosaics" && NAVIGATION_KEYS.test(key)) return { type: "moveRank", key };
  return null;
}

/** Return the part of the widget that contains an element. */
export function focusedPart(target: Element): Focus {
  if (target.matches("[data-testid=search]")) return "search";
  if (target.matches("input, select, textarea")) return "control";
  if (target.closest("[data-part=mosaics]")) return "mosaics";
  return target.closest("[data-part=grid]") ? "grid" : "other";
}
