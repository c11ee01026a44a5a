import { h, setText } from "../ui/dom.ts";
import { percent, percentChange } from "../ui/format.ts";

/** what is said of a class */
export type Share = { label: number; name: string; before: number; now: number };

export const ANSWER_ROWS = 6; // the five most probable, and the target

/** In which order classes are listed: the target first, where one looks for it, then by what is said now. */
export function answerOrder(classes: Share[], target: number | null) {
  const first = (one: Share) => Number(one.label === target);
  return [...classes].sort((a, b) => first(b) - first(a) || b.now - a.now || a.label - b.label).slice(0, ANSWER_ROWS);
}

/** What the patch changed, in points of a hundred: from the number that was shown to the one that is. */
export function changeWords({ before, now }: { before: number; now: number }) {
  const points = percentChange(before, now);
  return points === 0 ? "" : points > 0 ? `+${points}` : `−${-points}`;
}

/** Set only where it changed: the browser would look for what follows from it. */
function attribute(element: Element, name: string, value: string) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The classes with their bars: what is said now on what is said of the whole image. A click on a class makes it the target.
 *
 * A drag rewrites this many times a second, so nothing in it changes its place or the bounds of what is painted: else the browser would
 * arrange the layers of the whole notebook anew, which takes three times as long.
 */
export function createAnswers({ pick }: { pick: (label: number, name: string) => void }) {
  /** from above to below: classes change, rows stay */
  const rows: ReturnType<typeof createRow>[] = [];
  const element = h("div", { class: "dwo-answers", role: "radiogroup", "aria-label": "Target class", "data-testid": "answers" });
  const picked = () => rows[0].element.focus({ preventScroll: true }); // there the target stands from now on

  const update = (classes: Share[], target: number | null) => {
    const listed = answerOrder(classes, target);
    while (rows.length > listed.length) rows.pop()?.element.remove();
    while (rows.length < listed.length) {
      rows.push(createRow(pick, picked));
      element.append(rows[rows.length - 1].element);
    }
    listed.forEach((share, at) => rows[at].show(share, target));
  };
  return { element, update };
}

/** @param picked what comes after it */
function createRow(pick: (label: number, name: string) => void, picked: () => void) {
  let shown: Share | null = null;
  const words = h("span", { class: "dwo-class" });
  const before = h("i", { class: "dwo-before" });
  const now = h("i", { class: "dwo-now" });
  const value = h("span", { class: "dwo-share" });
  const change = h("span", { class: "dwo-change" });
  const click = () => {
    if (!shown) return;
    pick(shown.label, shown.name);
    picked();
  };
  const properties = { type: "button", role: "radio", class: "dwo-answer", "data-testid": "answer", onclick: click };
  // The numbers come first: what has edges of its own would part them from the row's ground, which keeps their bounds.
  const element = h("button", properties, value, change, words, h("span", { class: "dwo-track" }, before, now));

  const rename = ({ label, name }: Share) => {
    setText(words, name);
    words.title = name;
    element.title = `Make ${name} the target`;
    element.dataset.label = String(label);
  };

  const show = (share: Share, target: number | null) => {
    if (share.label !== shown?.label) rename(share);
    shown = share;
    before.style.width = `${100 * share.before}%`;
    now.style.width = `${100 * share.now}%`;
    setText(value, percent(share.now));
    const difference = changeWords(share);
    setText(change, difference);
    attribute(change, "data-less", String(difference.startsWith("−")));
    attribute(element, "aria-checked", String(share.label === target));
    element.setAttribute("aria-label", `${share.name}: ${percent(share.now)}, ${percent(share.before)} without the patch`);
  };
  return { element, show };
}
