/** What the pane of the selected unit shows of its activations: the nine strongest, all that the index keeps, the whole range, ... */
import { h, setText } from "../ui/dom.ts";
import { createTabs } from "../ui/tabs.ts";
import { PlacesView } from "./places_view.ts";
import type { LayerStore } from "./store.ts";
import type { Table } from "./unit_table.ts";
import type { LayerState, Place, Tab } from "./wire.ts";

const TABS: [Tab, string, string][] = [
  ["strongest", "Strongest", "The images in which the unit is most active"],
  ["range", "Whole range", "Images drawn from every part of the unit's distribution"],
  ["negative", "Most negative", "What drives the unit most negative, before the rectifier"],
];

const NOT_LOADED = "Not loaded: a kernel is needed.";

interface PlacesPaneOptions {
  id: string;
  store: LayerStore;
  set: (patch: Partial<LayerState>) => void;
  /** The nine strongest activations. */
  strongest: HTMLElement;
  /** Called when another activation is selected. */
  picked: () => void;
}

export class UnitPlaces {
  /** The tabs and the button that shows more. */
  readonly head: HTMLElement;
  readonly panel = h("div", { class: "dwl-places-panel", "data-testid": "places-panel" });
  /** Whether other activations than the nine strongest are shown. */
  active = false;
  private readonly view: PlacesView;
  private readonly message = h("p", { class: "dwl-places-note", role: "status", hidden: true, "data-testid": "places-message" });
  private readonly tabs: ReturnType<typeof createTabs<Tab>>;
  private readonly more: HTMLButtonElement;
  private readonly strongest: HTMLElement;
  private state: (LayerState & { unit: number }) | null = null;
  private selected = 0;

  constructor(private readonly options: PlacesPaneOptions) {
    const { id, store, set } = options;
    this.view = new PlacesView({ store, pick: (number) => this.pick(number) });
    this.strongest = h("div", { class: "dwl-strongest" }, options.strongest);
    this.panel.append(this.message, this.view.element);
    const panels = { strongest: this.strongest, range: this.panel, negative: this.panel };
    this.tabs = createTabs({ id, label: "Activations", testid: "tabs", prefix: "tab", tabs: TABS, panels, pick: (tab) => set({ tab }) });
    const toggle = () => set({ more: !this.state?.more });
    this.more = h("button", { type: "button", class: "dwl-clear", "data-testid": "more", onclick: toggle });
    this.head = h("div", { class: "dwl-tabs" }, this.tabs.element, this.more);
  }

  get panels(): HTMLElement[] {
    return [this.strongest, this.panel];
  }

  close(): void {
    this.view.close();
  }

  focus(): void {
    this.view.focus();
  }

  /** The selected activation, unless it is one of the nine. */
  get place(): { tab: Tab; number: number; place: Place } | null {
    const { state, selected } = this;
    if (!this.active || !state) return null;
    const places = this.options.store.places.places(this, state).value;
    const place = places?.groups.flatMap((group) => group.places)[selected];
    return place ? { tab: state.tab, number: selected, place } : null;
  }

  /** @param count the number of strongest activations that the unit has among the nine */
  update(state: LayerState & { unit: number }, table: Table | undefined, count: number): void {
    const previous = this.state;
    const isSame =
      previous?.layer === state.layer && previous.unit === state.unit && previous.tab === state.tab && previous.more === state.more;
    if (!isSame) this.selected = 0;
    this.state = state;
    this.tabs.show(state.tab);
    const stored = table?.stored ?? count;
    const hasMore = state.tab === "strongest" && table !== undefined && count >= table.k && stored > table.k;
    this.more.hidden = !hasMore;
    setText(this.more, state.more ? `Show ${count}` : `Show ${stored}`);
    this.more.setAttribute("aria-pressed", String(state.more));
    this.active = state.tab !== "strongest" || (hasMore && state.more);
    if (this.active && state.tab === "strongest") {
      // The tab has two contents; the list of all is in the panel of the others.
      this.strongest.hidden = true;
      this.panel.hidden = false;
      this.panel.setAttribute("aria-labelledby", `${this.options.id}-tab-strongest`);
    }
    if (this.active) this.draw(state);
  }

  private draw(state: LayerState & { unit: number }): void {
    const { value: places, error } = this.options.store.places.places(this, state);
    const isEmpty = places?.groups.every((group) => group.places.length === 0);
    this.message.hidden = Boolean(places && !isEmpty);
    const waiting = this.options.store.client.available ? "Loading…" : NOT_LOADED;
    setText(this.message, error ?? (places ? places.note || "There are none." : waiting));
    this.view.element.hidden = !places || Boolean(isEmpty);
    if (!places || isEmpty) return;
    const { layer, unit, tab, rule } = state;
    this.view.update({ places, request: { layer, unit, tab, rule }, selected: this.selected });
  }

  private pick(number: number): void {
    this.selected = number;
    if (this.state) this.draw(this.state);
    this.options.picked();
  }
}
