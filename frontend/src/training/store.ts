/** The data that all views of a TrainingPanel share: the status, and the log, which is requested again when it has changed. */
import { errorMessage } from "../kernel/errors.ts";
import { Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import type { HelloReply, Status, TrainingLog } from "./wire.ts";

const PRIORITY = { status: 3, log: 5 };

export class TrainingStore extends Store<HelloReply> {
  /** The newest log that was received; null before. */
  log: TrainingLog | null = null;
  private received: number | null = null;
  private requested: number | null = null;

  get status(): Status | null {
    return this.hello?.status ?? null;
  }

  protected override reset(): void {
    this.received = this.requested = null;
  }

  override retry(): void {
    this.requested = this.received;
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === "training") void this.refreshStatus();
  }

  /** Request the status again. Requests that are made meanwhile share the next reply. */
  async refreshStatus(): Promise<void> {
    try {
      const reply = await this.client.request<HelloReply>("status", {}, { fresh: true, priority: PRIORITY.status });
      if (!reply || !this.hello) return;
      this.hello = { ...this.hello, status: reply.content.status };
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }

  /** Request the log unless the newest one was received, or requested. */
  async fetchLog(): Promise<void> {
    const version = this.status?.version ?? null;
    if (version === null || version === this.requested || !this.client.available) return;
    this.requested = version;
    try {
      const reply = await this.client.request<{ log: TrainingLog }>("log", {}, { fresh: true, priority: PRIORITY.log });
      if (!reply) return; // a newer request has replaced it
      this.log = reply.content.log;
      this.received = version;
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }
}
