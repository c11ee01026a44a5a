/** The keyboard: which keys are the explorer's, and how they stay out of the notebook's way. */

const SUPPRESS = "data-lm-suppress-shortcuts";

/**
 * JupyterLab looks for shortcuts before any element hears of a key: from the focused element upwards, up to one with an attribute.
 * Set it on that element for keys that the explorer may want (in Lab, "d d" would delete the cell); take it away for those that stay
 * Lab's: saving, running the cell.
 * @returns ends it
 */
export function guardShortcuts(root: HTMLElement): () => void {
  const listen = (event: KeyboardEvent) => {
    const target = event.composedPath()[0];
    if (!(target instanceof Element) || !root.contains(target)) return;
    if (isForLab(event)) target.removeAttribute(SUPPRESS);
    else target.setAttribute(SUPPRESS, "true");
  };
  window.addEventListener("keydown", listen, true);
  return () => window.removeEventListener("keydown", listen, true);
}

export function isForLab(event: { ctrlKey: boolean; metaKey: boolean; altKey: boolean; shiftKey: boolean; key: string }) {
  return event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
}

/**
 * What a key means.
 * @param where the focus is
 */
export function meaning(
  key: string,
  where: "search" | "control" | "grid" | "nine" | "elsewhere",
): { act: string; [name: string]: any } | null {
  if (where === "search") {
    if (key === "Enter") return { act: "find" };
    return key === "Escape" ? { act: "endSearch" } : null;
  }
  if (where === "control") return key === "Escape" ? { act: "leave" } : null; // a select opens and moves with its own keys
  if (key === "/") return { act: "search" };
  if (key === "p") return { act: "pin" };
  if (/^[1-9]$/.test(key)) return { act: "layer", index: Number(key) - 1 };
  if (key === "Escape") return { act: where === "grid" ? "leave" : "grid" };
  if (key === "Enter" && where === "grid") return { act: "open" };
  if ((where === "grid" || where === "nine") && /^(Arrow(Left|Right|Up|Down)|Home|End|PageUp|PageDown)$/.test(key)) {
    return { act: where === "grid" ? "moveUnit" : "moveRank", key };
  }
  return null;
}

/** Where the focus is, as `meaning` wants it. */
export function whereIs(target: Element): "search" | "control" | "grid" | "nine" | "elsewhere" {
  if (target.matches("input")) return "search";
  if (target.matches("select, textarea")) return "control";
  if (target.closest("[data-part=nine]")) return "nine";
  return target.closest("[data-part=grid]") ? "grid" : "elsewhere";
}
