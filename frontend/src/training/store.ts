/** The data that all views of a TrainingPanel share: the status, and the log, which is requested again when it has changed. */
import { errorMessage } from "../kernel/errors.ts";
import { StatusStore } from "../kernel/status_store.ts";
import type { Status, TrainingLog } from "./wire.ts";

const LOG_PRIORITY = 5;

export class TrainingStore extends StatusStore<Status> {
  protected override readonly statusEvent = "training";
  /** The newest log that was received; null before. */
  log: TrainingLog | null = null;
  private received: number | null = null;
  private requested: number | null = null;

  protected override reset(): void {
    this.received = this.requested = null;
  }

  override retry(): void {
    this.requested = this.received;
  }

  /** Request the log unless the newest one was received, or requested. */
  async fetchLog(): Promise<void> {
    const version = this.status?.version ?? null;
    if (version === null || version === this.requested || !this.client.available) return;
    this.requested = version;
    try {
      const reply = await this.client.request<{ log: TrainingLog }>("log", {}, { fresh: true, priority: LOG_PRIORITY });
      if (!reply) return; // a newer request has replaced it
      this.log = reply.content.log;
      this.received = version;
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }
}
