import { errorMessage } from "./errors.ts";
import { Store } from "./store.ts";
import type { ServiceEvent } from "./wire.ts";

/** Of the request for the status. */
export const STATUS_PRIORITY = 3;

/** The data that all views of a widget share whose service has a status, which is requested again when an event says that it has changed. */
export abstract class StatusStore<Status, Content extends { status: Status } = { status: Status }> extends Store<Content> {
  /** The kind of the event that the status has changed. */
  protected abstract readonly statusEvent: string;
  /** The newest request for the status. */
  private newest: Promise<boolean> | null = null;

  get status(): Status | null {
    return this.hello?.status ?? null;
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === this.statusEvent) void this.refreshStatus();
  }

  /** Request the status again, and wait for it. Requests that are made meanwhile share the next reply. */
  async refreshStatus(): Promise<void> {
    let request = this.requestStatus();
    this.newest = request;
    // A superseded request has no reply. Until that of the newest one, the status is that from before, such as before a start.
    while (!(await request) && this.newest && this.newest !== request) request = this.newest;
  }

  /** Return false if there is no reply. */
  private async requestStatus(): Promise<boolean> {
    try {
      const reply = await this.client.request<{ status: Status }>("status", {}, { fresh: true, priority: STATUS_PRIORITY });
      if (!reply) return false;
      if (this.hello) this.hello = { ...this.hello, status: reply.content.status };
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
    return true;
  }
}
