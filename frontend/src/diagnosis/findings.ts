/** The findings: a list in which one is open, with the units that show it and the surgeries that may mend it. */
import { h, setText } from "../ui/dom.ts";
import { describeAfter } from "./aliasing.ts";
import { createFilterTile } from "./filter_tile.ts";
import { createInputTables } from "./input_check.ts";
import type { Filters } from "./store.ts";
import { describeFindings, LEVELS, unitText } from "./texts.ts";
import type { Arm, Diagnosis, Finding, FirstLayer, Surgery, UnitEvidence, UnitName } from "./wire.ts";

const MAX_UNITS = 8;

interface FindingsContent {
  diagnosis: Diagnosis;
  open: Finding | undefined;
  unit: UnitName | null;
  filters: Filters | undefined;
  /** The arms of the surgeries that were tried already. */
  arms: readonly Arm[];
  /** Whether a surgery is being made. */
  busy: boolean;
  available: boolean;
}

interface Actions {
  open: (check: string) => void;
  pickUnit: (unit: UnitName) => void;
  trySurgery: (surgery: Surgery) => void;
}

export function createFindings(actions: Actions) {
  const heading = h("p", { class: "dwn-head", "data-testid": "findings-count" });
  const list = h("div", { class: "dwn-findings", "data-testid": "findings" });
  const element = h("section", { class: "dwn-column", "aria-label": "Findings" }, heading, list);
  let drawn: Diagnosis | null = null;
  let rows: ReturnType<typeof createRow>[] = [];

  const update = (content: FindingsContent) => {
    const { diagnosis, open } = content;
    if (drawn !== diagnosis) {
      drawn = diagnosis;
      setText(heading, describeFindings(diagnosis.findings));
      rows = diagnosis.findings.map((finding) => createRow(finding, diagnosis, actions));
      list.replaceChildren(...rows.map((row) => row.element));
    }
    for (const row of rows) row.update(row.finding === open, content);
  };

  const focus = () => rows.find(({ button }) => button.getAttribute("aria-expanded") === "true")?.button.focus();
  const clear = () => {
    drawn = null;
    setText(heading, "");
    list.replaceChildren();
  };
  return { element, update, focus, clear };
}

function createRow(finding: Finding, { first_layer: first, input }: Diagnosis, { open, pickUnit, trySurgery }: Actions) {
  const { check, level, title, count_text: count } = finding;
  const dot = h("i", { class: "dwn-dot", "data-level": level, role: "img", "aria-label": LEVELS[level][0], title: LEVELS[level][0] });
  const line = [dot, h("b", {}, title), h("span", { class: "dwn-count" }, count)];
  const properties = { type: "button", class: "dwn-finding-button", "data-testid": `finding-${check}`, onclick: () => open(check) };
  const button = h("button", properties, ...line, h("span", { class: "dwn-summary" }, finding.summary));
  const units = finding.units.slice(0, MAX_UNITS).map((unit) => createUnit(unit, first, pickUnit));
  const shown = h("div", { class: "dwn-units", "data-testid": `units-${check}` }, ...units.map((unit) => unit.element));
  const tries = finding.surgeries.map((surgery) => {
    const click = () => trySurgery(surgery);
    const attributes = { type: "button", class: "dwn-try", "data-testid": `try-${surgery.label}`, onclick: click };
    return { surgery, button: h("button", attributes, `Try: ${surgery.label}`) };
  });
  const after = h("p", { "data-testid": `after-${check}` });
  const more = finding.units.length > MAX_UNITS ? `and ${finding.units.length - MAX_UNITS} more` : "";
  const details = h(
    "div",
    { class: "dwn-details" },
    shown,
    more ? h("p", { class: "dwn-small" }, more) : null,
    ...(check === "input" ? createInputTables(input) : []),
    after,
    labelled("Evidence", finding.evidence),
    labelled("The paper", finding.paper),
    h("div", { class: "dwn-tries" }, ...tries.map((one) => one.button)),
  );
  const element = h("div", { class: "dwn-finding" }, button, details);

  const update = (isOpen: boolean, { unit, filters, arms, busy, available }: FindingsContent) => {
    element.dataset.open = String(isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    details.hidden = !isOpen;
    if (!isOpen) return;
    setText(after, check === "aliasing" ? describeAfter(arms) : "");
    after.hidden = !after.textContent;
    for (const one of units) one.update(filters, unit);
    for (const { surgery, button: attempt } of tries) {
      attempt.disabled = busy || !available;
      const made = arms.some(({ label }) => label === surgery.label || label.endsWith(`, ${surgery.label}`));
      setText(attempt, `${made ? "Tried" : "Try"}: ${surgery.label}`);
    }
  };
  return { element, button, finding, update };
}

function labelled(name: string, text: string): HTMLElement | null {
  return text ? h("p", {}, h("span", { class: "dwn-dim" }, `${name}: `), text) : null;
}

/** Create the button of a unit: a picture for a filter of the first layer, its name for others, and what was measured of it. */
function createUnit({ layer, unit, text }: UnitEvidence, first: FirstLayer | null, pick: (unit: UnitName) => void) {
  const isFilter = layer === first?.alias || layer === first?.name;
  const tile = isFilter ? createFilterTile() : null;
  const label = `${unitText([layer, unit])}: ${text}`;
  const properties = { type: "button", class: "dwn-unit", "aria-label": label, title: label, onclick: () => pick([layer, unit]) };
  const short = tile ? (text.split(" ")[0] ?? "") : text; // below a picture there is room for one word
  const element = h("button", properties, tile?.canvas ?? h("b", {}, unitText([layer, unit])), h("span", {}, short));
  element.dataset.kind = isFilter ? "filter" : "unit";
  const update = (filters: Filters | undefined, chosen: UnitName | null) => {
    tile?.draw(filters, unit);
    element.setAttribute("aria-pressed", String(chosen?.[0] === layer && chosen[1] === unit));
  };
  return { element, update };
}
