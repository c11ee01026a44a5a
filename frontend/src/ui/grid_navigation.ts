/**
 * Return the place that a key leads to in a grid of `count` places, null where the key is not for moving.
 * @param page rows that are visible
 */
export function nextInGrid(key: string, place: number, columns: number, count: number, page = 1): number | null {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * page,
    PageDown: columns * page,
  };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = steps[key];
  if (step === undefined) return null;
  const next = place + step;
  if (next >= 0 && next < count) return next;
  if (Math.abs(step) === 1) return place;
  const row = Math.floor(place / columns);
  if (step < 0) return key === "PageUp" ? place % columns : place;
  return row < Math.floor((count - 1) / columns) ? count - 1 : place;
}

/** Return the number of columns of elements that wrap. */
export function countColumns(elements: readonly HTMLElement[]): number {
  const top = elements[0]?.offsetTop;
  return Math.max(1, elements.filter((element) => element.offsetTop === top).length);
}

/** Move the focus, and with it the one tab stop, among elements that wrap. Return whether the key was for that. */
export function moveFocusInGrid(event: KeyboardEvent, elements: readonly HTMLElement[]): boolean {
  const at = elements.indexOf(event.target as HTMLElement);
  const next = at < 0 ? null : nextInGrid(event.key, at, countColumns(elements), elements.length);
  if (next === null) return false;
  event.preventDefault();
  event.stopPropagation();
  const [from, to] = [elements[at], elements[next]];
  if (from) from.tabIndex = -1;
  if (to) {
    to.tabIndex = 0;
    to.focus();
  }
  return true;
}
