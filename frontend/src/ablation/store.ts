/** The data that all views of an AblationPanel share: the status. */
import { StatusStore } from "../kernel/status_store.ts";
import type { Status } from "./wire.ts";

export class AblationStore extends StatusStore<Status> {
  protected override readonly statusEvent = "ablation";

  protected override reset(): void {}

  override retry(): void {}
}
