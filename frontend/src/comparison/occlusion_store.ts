/** The data that all views of two models on one photograph share. */
import type { WidgetModel } from "../kernel/model.ts";
import { OcclusionStore } from "../occlusion/store.ts";
import type { BothHello } from "./occlusion_wire.ts";
import { SidesStore } from "./sides_store.ts";

export class BothOcclusionStore extends SidesStore<OcclusionStore, BothHello> {
  constructor(model: WidgetModel) {
    super(model, (own) => new OcclusionStore(own));
  }

  override retry(): void {} // the stores of the sides retry by themselves

  protected override sideChanged(): void {
    this.notify();
  }
}
