/** The table of the variants: which are trained, their errors, and their differences to the baseline. */
import { focusedElement, h } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { colourOf } from "./curves.ts";
import { drawInterval, scaleOf } from "./interval.ts";
import { differenceHint, differenceText, errorText, MEASURES, paperText, parametersText } from "./texts.ts";
import type { AblationState, Difference, Measure, Row, Status } from "./wire.ts";

interface Actions {
  select: (variant: string) => void;
  choose: (variant: string, on: boolean) => void;
  explore: (variant: string, seed: number | null) => void;
}

const PAPER_HINT = "Zeiler & Fergus 2014, table 3: ImageNet 2012. In brackets: the difference to the network that the paper changed";
const EXPLORE_HINT = "Open the network of its first complete run in a LayerExplorer (E)";

export function createTableView({ select, choose, explore }: Actions) {
  const head = h("thead", {});
  const body = h("tbody", { "data-testid": "rows" });
  const element = h("div", { class: "dwa-table", "data-testid": "table" }, h("table", {}, head, body));
  let drawn = "";

  const drawHead = (measure: Measure, baseline: string, paper: boolean) => {
    const change = `${MEASURES[measure]} error − that of ${baseline}, in percentage points, with its 95% confidence interval over seeds`;
    const titles: [text: string, hint: string][] = [
      ["Variant", ""],
      ["Parameters", ""],
      ["Train error", "Top-1, after the last epoch, in evaluation mode on central crops of the training photographs"],
      ["Top-1 error", "On validation photographs, after the last epoch: mean ± standard deviation over seeds"],
      ["Top-5 error", "On validation photographs; not with five classes or fewer"],
      [`${MEASURES[measure]} difference`, change],
      ...(paper ? [["Paper", PAPER_HINT] as [string, string]] : []),
      ["Images/s", "Of training, on a machine that may have done other work"],
    ];
    const cells = titles.map(([text, hint]) => h("th", { scope: "col", title: hint || null }, text));
    head.replaceChildren(h("tr", {}, ...cells, h("td", {})));
  };

  const createRow = (row: Row, index: number, status: Status, state: AblationState, scale: number, paper: boolean) => {
    const { table, explorable } = status;
    const { name } = row.variant;
    const difference = differenceOf(row, state.measure);
    const properties = { type: "checkbox", "aria-label": `Train ${name}`, disabled: !status.can_start };
    const box = h("input", { ...properties, onchange: (event: Event) => choose(name, (event.target as HTMLInputElement).checked) });
    box.checked = state.chosen === null || state.chosen.includes(name);
    const mark = h("i", { class: `dwa-mark ${colourOf(index, table.rows.length)}`, "aria-hidden": "true" });
    const pressed = String(state.variant === name);
    const button = h(
      "button",
      { type: "button", class: "dwa-name", "aria-pressed": pressed, "data-name": name, onclick: () => select(name) },
      name,
    );
    const about = h("span", { class: "dwg-small" }, describe(row, name === table.baseline));
    const boxed = status.can_start || status.phase === "new" ? box : null;
    const plot = difference
      ? [drawInterval(difference, scale), h("span", {}, differenceText(difference))]
      : [name === table.baseline ? "baseline" : "–"];
    const hint = difference ? differenceHint(difference, table.baseline) : null;
    const begun = explorable && row.runs.some(({ epoch }) => epoch > 0);
    const open = {
      type: "button",
      class: "dwx-menu-button",
      title: EXPLORE_HINT,
      "aria-label": `Explore ${name}`,
      onclick: () => explore(name, null),
    };
    return h(
      "tr",
      { "data-selected": pressed },
      h("th", { scope: "row" }, h("div", { class: "dwa-variant" }, boxed, mark, h("div", {}, button, about))),
      h("td", {}, parametersText(row.variant.parameters)),
      h("td", {}, errorText(row.train_error)),
      h("td", {}, errorText(row.top1_error)),
      h("td", {}, errorText(row.top5_error)),
      h("td", { title: hint }, h("div", { class: "dwa-difference" }, ...plot)),
      paper ? h("td", { title: paperHint(row) }, paperText(row, state.measure)) : null,
      h("td", {}, row.images_per_second ? row.images_per_second.mean.toFixed(0) : "–"),
      h("td", {}, begun ? h("button", open, "Explore") : null),
    );
  };

  const update = (status: Status, state: AblationState) => {
    const { table } = status;
    element.hidden = !table.rows.length;
    const key = JSON.stringify([table, state, status.can_start, status.phase, status.explorable]);
    if (key === drawn) return;
    drawn = key;
    const focused = focusedElement(element);
    const kept = focused instanceof HTMLElement && element.contains(focused) ? focusKey(focused) : null;
    const paper = table.rows.some(({ variant }) => variant.paper);
    drawHead(state.measure, table.baseline, paper);
    const scale = scaleOf(table.rows.flatMap((row) => differenceOf(row, state.measure) ?? []));
    body.replaceChildren(...table.rows.map((row, index) => createRow(row, index, status, state, scale, paper)));
    if (kept)
      [...body.querySelectorAll<HTMLElement>("button, input")].find((one) => focusKey(one) === kept)?.focus({ preventScroll: true });
  };

  /** Focus the name of a variant. */
  const focus = (name: string | null) => {
    const names = [...body.querySelectorAll<HTMLElement>(".dwa-name")];
    (names.find((one) => one.dataset.name === name) ?? names[0])?.focus();
  };
  return { element, update, focus };
}

export function differenceOf(row: Row, measure: Measure): Difference | null {
  return { top1: row.top1_difference, top5: row.top5_difference, train: row.train_difference }[measure];
}

/** Return what tells a control of the table from the others after it was drawn again. */
function focusKey(element: HTMLElement): string {
  return `${element.tagName} ${element.getAttribute("aria-label") ?? element.dataset.name}`;
}

function describe({ variant, runs }: Row, baseline: boolean): string {
  const complete = runs.filter(({ phase }) => phase === "complete").length;
  const parts = [variant.description === variant.name ? "" : variant.description, ...variant.surgery];
  if (variant.origin === "given weights") parts.push("from given weights");
  if (baseline) parts.push("baseline");
  parts.push(`${complete} of ${formatCount(runs.length, "run")}`);
  return parts.filter(Boolean).join(" · ");
}

function paperHint({ variant: { paper } }: Row): string | null {
  return paper ? `Compared there to ${paper.baseline}` : null;
}
