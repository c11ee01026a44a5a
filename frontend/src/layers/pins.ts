/** The pinned units of a state. */
import type { LayerState, Pin } from "./wire.ts";

export const MAX_PINS = 6; // limit of the kernel

type Unit = Pick<Pin, "layer" | "unit">;

/** Return whether a unit of this model is pinned. The kernel adds the model to pins of a state that was set without one. */
export function isPinned({ pinned }: LayerState, { layer, unit }: Unit, model?: string): boolean {
  return pinned.some((pin) => pin.layer === layer && pin.unit === unit && (model === undefined || pin.model === model));
}

/** Return the pins with a unit added, or removed if it is pinned; null if there are as many pins as there may be. */
export function togglePin(state: LayerState, pin: Pin): Pin[] | null {
  if (isPinned(state, pin, pin.model)) return withoutPin(state.pinned, pin);
  return state.pinned.length < MAX_PINS ? [...state.pinned, pin] : null;
}

/** Return the pins without one. */
export function withoutPin(pinned: readonly Pin[], { model, layer, unit }: Pin): Pin[] {
  return pinned.filter((pin) => pin.model !== model || pin.layer !== layer || pin.unit !== unit);
}
