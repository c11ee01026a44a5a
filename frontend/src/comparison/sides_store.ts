/** The base of the stores of widgets on two services: a store for each, and what is asked of both. */
import type { WidgetModel } from "../kernel/model.ts";
import { Store } from "../kernel/store.ts";
import { sideModel } from "./side_model.ts";
import { type Both, SIDES, type Side } from "./wire.ts";

type SideStore = Store<object> & { retry(): void };

export abstract class SidesStore<Own extends SideStore, Content extends object> extends Store<Content> {
  readonly sides: Both<Own>;

  constructor(model: WidgetModel, create: (model: WidgetModel) => Own) {
    super(sideModel(model, null));
    this.sides = { a: create(sideModel(model, "a")), b: create(sideModel(model, "b")) };
    for (const side of SIDES) {
      const store = this.sides[side];
      store.subscribe(this.notify);
      store.client.listen({ event: ({ event }) => event === "changed" && this.sideChanged(side) });
    }
  }

  /** Called when a service has another state: its index, its classifier or its units may be others. */
  protected abstract sideChanged(side: Side): void;

  override close(): void {
    super.close();
    for (const side of SIDES) this.sides[side].close();
  }

  override onUserAction(): void {
    super.onUserAction();
    for (const side of SIDES) this.sides[side].onUserAction();
  }

  override async fetchOverview(): Promise<void> {
    await Promise.all([super.fetchOverview(), ...SIDES.map((side) => this.sides[side].fetchOverview())]);
  }

  protected override reset(): void {
    for (const side of SIDES) this.sideChanged(side);
  }

  /** The problem of one of the services, after its letter; empty if there is none. */
  get sideProblem(): string {
    for (const side of SIDES) if (this.sides[side].problem) return `${side.toUpperCase()}: ${this.sides[side].problem}`;
    return "";
  }
}
