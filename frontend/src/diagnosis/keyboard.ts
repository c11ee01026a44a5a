/** The keys of a DiagnosisPanel. */

export type KeyAction =
  | { type: "shift"; right: number }
  | { type: "photograph"; step: number }
  | { type: "finding"; step: number }
  | { type: "undo" }
  | { type: "try" };

/**
 * Return what a key does; null if nothing.
 * @param onSlider whether a slider has the focus, which has arrow keys of its own
 */
export function keyAction(key: string, onSlider: boolean): KeyAction | null {
  const actions: Record<string, KeyAction> = {
    ArrowRight: { type: "shift", right: 1 },
    ArrowLeft: { type: "shift", right: -1 },
    ArrowDown: { type: "finding", step: 1 },
    ArrowUp: { type: "finding", step: -1 },
    "]": { type: "photograph", step: 1 },
    "[": { type: "photograph", step: -1 },
    u: { type: "undo" },
    t: { type: "try" },
  };
  const name = key.length === 1 ? key.toLowerCase() : key;
  return onSlider && key.startsWith("Arrow") ? null : (actions[name] ?? null);
}
