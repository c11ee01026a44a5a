import { h, setText } from "./dom.js";
import { percent } from "./format.js";

export const ANSWER_ROWS = 6; // the five most probable, and the target
const ROW_HEIGHT = 24; // CSS pixels

/**
 * In which order classes are listed: the target first, where one looks for it, then by what is said now.
 * @template {{label: number, now: number}} Share
 * @param {Share[]} classes @param {number | null} target
 */
export function answerOrder(classes, target) {
  const first = (/** @type {Share} */ one) => Number(one.label === target);
  return [...classes].sort((a, b) => first(b) - first(a) || b.now - a.now || a.label - b.label).slice(0, ANSWER_ROWS);
}

/** What the patch changed, in points of a hundred; empty where less than half a point. @param {{before: number, now: number}} share */
export function changeWords({ before, now }) {
  const points = Math.round(100 * (now - before));
  return points === 0 ? "" : points > 0 ? `+${points}` : `−${-points}`;
}

/** Set only where it changed: the browser would look for what follows from it. @param {Element} element @param {string} name @param {string} value */
function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The classes with their bars: what is said now on what is said of the whole image. A click on a class makes it the target.
 * @param {{pick: (label: number, name: string) => void}} options
 */
export function createAnswers({ pick }) {
  /** @type {Map<number, ReturnType<typeof makeRow>>} by class, so that a row keeps its bar as it changes its place */
  const rows = new Map();
  const element = h("div", { class: "dwo-answers", role: "radiogroup", "aria-label": "Target class", "data-testid": "answers" });
  element.style.height = `${ANSWER_ROWS * ROW_HEIGHT}px`;

  /** @param {{label: number, name: string}} share */
  function makeRow({ label, name }) {
    const words = h("span", { class: "dwo-class", title: name }, name);
    const before = h("i", { class: "dwo-before" });
    const now = h("i", { class: "dwo-now" });
    const value = h("span", { class: "dwo-share" });
    const change = h("span", { class: "dwo-change" });
    const properties = { type: "button", role: "radio", class: "dwo-answer", "data-testid": "answer", "data-label": label, title: `Make ${name} the target` };
    const row = h("button", { ...properties, onclick: () => pick(label, name) }, words, h("span", { class: "dwo-track" }, before, now), value, change);
    element.append(row);
    return { row, before, now, value, change };
  }

  /** @param {{label: number, name: string, before: number, now: number}[]} classes @param {number | null} target */
  const update = (classes, target) => {
    const listed = answerOrder(classes, target);
    const labels = new Set(listed.map(({ label }) => label));
    for (const [label, { row }] of rows) {
      if (labels.has(label)) continue;
      row.remove();
      rows.delete(label);
    }
    listed.forEach((share, at) => {
      const made = rows.get(share.label) ?? makeRow(share);
      rows.set(share.label, made);
      made.row.style.transform = `translateY(${at * ROW_HEIGHT}px)`;
      made.before.style.transform = `scaleX(${share.before})`;
      made.now.style.transform = `scaleX(${share.now})`;
      setText(made.value, percent(share.now));
      const change = changeWords(share);
      setText(made.change, change);
      attribute(made.change, "data-less", String(change.startsWith("−")));
      attribute(made.row, "aria-checked", String(share.label === target));
      made.row.setAttribute("aria-label", `${share.name}: ${percent(share.now)}, ${percent(share.before)} without the patch`);
    });
  };
  return { element, update };
}
