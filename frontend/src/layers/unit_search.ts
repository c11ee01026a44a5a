import { parseSearch } from "./unit_table.ts";

interface UnitSearchOptions {
  input: HTMLInputElement;
  /** Return the layer that is shown, its number of units, and its class filter. */
  shown: () => { layer: string; units: number; filter: string };
  /** Return whether the class filter hides a unit. */
  isHidden: (unit: number) => boolean;
  setFilter: (filter: string) => void;
  /** Select a unit, and remove the filter if it hides the unit. */
  select: (unit: number, removeFilter: boolean) => void;
  showStatus: (text: string) => void;
}

/** The search field: a number selects a unit, a class name filters the units. */
export class UnitSearch {
  constructor(private readonly options: UnitSearchOptions) {}

  /** Filter by a class name while it is typed; a unit number needs Enter. */
  filterBy(text: string): void {
    const { shown, setFilter } = this.options;
    const query = parseSearch(text);
    if ("className" in query && query.className !== shown().filter) setFilter(query.className);
  }

  submit(text: string): void {
    const { shown, isHidden, select, showStatus } = this.options;
    const query = parseSearch(text);
    const { layer, units } = shown();
    if ("className" in query) this.filterBy(text);
    else if (query.unit >= units) showStatus(`${layer} has ${units} units, 0 to ${units - 1}.`);
    else select(query.unit, isHidden(query.unit));
  }

  focus(): void {
    const { input } = this.options;
    input.focus();
    input.select();
  }

  /** Handle Enter or Escape in the field. */
  end(action: "find" | "clearSearch"): void {
    const { input, shown, setFilter } = this.options;
    if (action === "find") this.submit(input.value);
    else setFilter("");
    input.value = shown().filter;
  }
}
