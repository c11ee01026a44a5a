/** The data that all views of an AblationPanel share: the status, which is requested again when it has changed. */
import { errorMessage } from "../kernel/errors.ts";
import { Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import type { HelloReply, Status } from "./wire.ts";

const PRIORITY = 3;

export class AblationStore extends Store<HelloReply> {
  get status(): Status | null {
    return this.hello?.status ?? null;
  }

  protected override reset(): void {}

  override retry(): void {}

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === "ablation") void this.refreshStatus();
  }

  /** Request the status again. Requests that are made meanwhile share the next reply. */
  async refreshStatus(): Promise<void> {
    try {
      const reply = await this.client.request<HelloReply>("status", {}, { fresh: true, priority: PRIORITY });
      if (!reply) return;
      this.hello = reply.content;
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }
}
