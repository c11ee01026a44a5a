import { h, setText } from "./dom.js";
import { percent, percentChange } from "./format.js";

export const ANSWER_ROWS = 6; // the five most probable, and the target

/** @typedef {{label: number, name: string, before: number, now: number}} Share what is said of a class */

/**
 * In which order classes are listed: the target first, where one looks for it, then by what is said now.
 * @param {Share[]} classes @param {number | null} target
 */
export function answerOrder(classes, target) {
  const first = (/** @type {Share} */ one) => Number(one.label === target);
  return [...classes].sort((a, b) => first(b) - first(a) || b.now - a.now || a.label - b.label).slice(0, ANSWER_ROWS);
}

/** What the patch changed, in points of a hundred: from the number that was shown to the one that is. @param {{before: number, now: number}} share */
export function changeWords({ before, now }) {
  const points = percentChange(before, now);
  return points === 0 ? "" : points > 0 ? `+${points}` : `−${-points}`;
}

/** Set only where it changed: the browser would look for what follows from it. @param {Element} element @param {string} name @param {string} value */
function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The classes with their bars: what is said now on what is said of the whole image. A click on a class makes it the target.
 *
 * A drag rewrites this many times a second, so nothing in it changes its place or the bounds of what is painted: else the browser would
 * arrange the layers of the whole notebook anew, which takes three times as long.
 * @param {{pick: (label: number, name: string) => void}} options
 */
export function createAnswers({ pick }) {
  /** @type {ReturnType<typeof createRow>[]} from above to below: classes change, rows stay */
  const rows = [];
  const element = h("div", { class: "dwo-answers", role: "radiogroup", "aria-label": "Target class", "data-testid": "answers" });
  const picked = () => rows[0].element.focus({ preventScroll: true }); // there the target stands from now on

  /** @param {Share[]} classes @param {number | null} target */
  const update = (classes, target) => {
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

/** @param {(label: number, name: string) => void} pick @param {() => void} picked what comes after it */
function createRow(pick, picked) {
  /** @type {Share | null} */
  let shown = null;
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

  /** @param {Share} share */
  const rename = ({ label, name }) => {
    setText(words, name);
    words.title = name;
    element.title = `Make ${name} the target`;
    element.dataset.label = String(label);
  };

  /** @param {Share} share @param {number | null} target */
  const show = (share, target) => {
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
