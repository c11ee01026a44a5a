import type { UnitFactors } from "../kernel/unit_factors.ts";
import type { UnitFactor } from "../kernel/wire.ts";
import { h, setText } from "./dom.ts";
import { createPopover } from "./popover.ts";
import { createSwitch, describeFactor } from "./switch.ts";

const HINT = "Units that are off or scaled change the answers, projections and occlusion maps of every widget on this model.";
const NONE = "All units are on. Switch one off in a LayerExplorer (x), or load units from a file.";
const SOLVE_HINT = "Open a TransferPanel, and press Mute units… there: the units that are off are filled in.";
const FILE_HINT = "A file on the kernel's machine";

/** Return how many units are off, or changed if some are not off. Must agree with `describe_units` in Python. */
export function describeUnits(units: readonly Pick<UnitFactor, "factor">[]): string {
  if (!units.length) return "";
  const state = units.some(({ factor }) => factor !== 0) ? "changed" : "off";
  return `${units.length} unit${units.length === 1 ? "" : "s"} ${state}`;
}

/** Return the units that are off as a TransferPanel reads them: "conv5 133, 254, conv4 7". */
export function nameUnitsOff(units: readonly UnitFactor[]): string {
  const off = units.filter(({ factor }) => factor === 0);
  const layers = [...new Set(off.map(({ layer }) => layer))];
  const named = (name: string) => off.filter(({ layer }) => layer === name).map(({ unit }) => unit);
  return layers.map((layer) => `${layer} ${named(layer).join(", ")}`).join(", ");
}

/**
 * Create the button that says how many units are off, its panel with a switch for each, and the button that switches all on.
 * @param openTransferPanel shows a TransferPanel, in which a head is trained again without the units
 */
export function createUnitBadge(units: UnitFactors, openTransferPanel: () => void) {
  const button = h("button", { type: "button", class: "dwx-menu-button dwx-unit-badge", "data-testid": "units" });
  const reset = h(
    "button",
    { type: "button", class: "dwx-menu-button", "data-testid": "reset-units", title: "Switch all units on", onclick: () => resetAll() },
    "Reset",
  );
  const text = h("p", {});
  const list = h("ul", { class: "dwx-unit-list", "data-testid": "unit-list" });
  const message = h("p", { class: "dwx-unit-message", role: "status", hidden: true });
  const file = createFileRow((kind, path) => void transferFile(kind, path));
  const solve = h(
    "button",
    { type: "button", class: "dwx-menu-button", "data-testid": "solve-again", title: SOLVE_HINT, onclick: () => openTransferPanel() },
    "Train the head again without them…",
  );
  const parts = [text, list, solve, file.element, message];
  const panel = h(
    "div",
    { class: "dwx-popover dwx-unit-panel", role: "region", "aria-label": "Units", "data-testid": "units-panel" },
    ...parts,
  );
  const element = h("div", { class: "dwx-units" }, h("div", { class: "dwx-info" }, button, panel), reset);
  /** The units of the list: those that are changed, and those that were switched on in it. */
  const rows = new Map<string, ReturnType<typeof createRow>>();
  const popover = createPopover({ button, panel, element: panel.parentElement as HTMLElement, opened: () => opened() });

  function opened(): void {
    rows.clear();
    showMessage("");
    update();
  }

  function showMessage(shown: string): void {
    message.hidden = !shown;
    setText(message, shown);
  }

  async function resetAll(): Promise<void> {
    popover.show(false);
    button.focus();
    await units.reset();
  }

  async function transferFile(kind: "load_units" | "save_units", path: string): Promise<void> {
    showMessage("");
    showMessage(await units.transferFile(kind, path));
  }

  function update(): void {
    element.hidden = !units.known; // a widget need not have one model
    const changed = units.list();
    setText(button, describeUnits(changed) || "Units");
    button.title = changed.length ? HINT : NONE;
    button.dataset.changed = String(changed.length > 0);
    reset.hidden = !changed.length;
    setText(text, changed.length || rows.size ? HINT : NONE);
    file.update(changed.length > 0);
    solve.hidden = !nameUnitsOff(changed);
    for (const { layer, unit } of changed) {
      const key = `${layer} ${unit}`;
      if (rows.has(key)) continue;
      const row = createRow(layer, unit, units);
      rows.set(key, row);
      list.append(row.element);
    }
    if (!rows.size) list.replaceChildren();
    for (const child of [...list.children]) if (![...rows.values()].some(({ element }) => element === child)) child.remove();
    for (const row of rows.values()) row.update();
  }
  return { element, update };
}

function createRow(layer: string, unit: number, units: UnitFactors) {
  const name = `${layer} unit ${unit}`;
  const toggle = createSwitch({ label: name, testid: `unit-switch-${layer}-${unit}`, toggle: () => units.toggle(layer, unit) });
  const factor = h("span", { class: "dwx-unit-factor" });
  const element = h("li", {}, toggle.element, h("span", {}, name), factor);
  const update = () => {
    const value = units.factor(layer, unit);
    toggle.update(value !== 0, `Switch ${name} ${value === 0 ? "on" : "off"}`);
    setText(factor, describeFactor(value));
  };
  return { element, update };
}

/** Create the field for the path of a file, with the buttons that save and load it. */
function createFileRow(done: (kind: "load_units" | "save_units", path: string) => void) {
  const input = h("input", {
    type: "text",
    class: "dwx-search",
    placeholder: "units.json",
    title: FILE_HINT,
    "aria-label": FILE_HINT,
    spellcheck: "false",
    "data-testid": "units-path",
  });
  const submit = (kind: "load_units" | "save_units") => {
    if (input.value.trim()) done(kind, input.value.trim());
    else input.focus();
  };
  const button = (kind: "load_units" | "save_units", text: string) =>
    h("button", { type: "button", class: "dwx-menu-button", "data-testid": kind, onclick: () => submit(kind) }, text);
  const save = button("save_units", "Save");
  const element = h("div", { class: "dwx-unit-file" }, input, save, button("load_units", "Load"));
  return { element, update: (anyChanged: boolean) => (save.disabled = !anyChanged) };
}
