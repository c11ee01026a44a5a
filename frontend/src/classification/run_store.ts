import { errorMessage } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { type Hello, Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";

/** Priorities of the requests of panels of runs. */
export const RUN_PRIORITY = { stop: 1, start: 2, status: 3, run: 6 };
const MAX_SUMMARIES = 20;

interface RunHello<Status> extends Hello {
  status: Status;
}

/** The data that all views of a panel share whose runs are computed in the kernel: the status, and summaries of data to run on. */
export abstract class RunStore<Status, Summary, Content extends RunHello<Status>> extends Store<Content> {
  private readonly summaries = new Resource<Summary>(this.client, this.notify, MAX_SUMMARIES);
  /** The kind of the event that the status has changed. */
  protected abstract readonly statusEvent: string;

  get status(): Status | null {
    return this.hello?.status ?? null;
  }

  /** Runs do not depend on the model of the service; how the data fits it does. */
  protected override reset(): void {
    this.summaries.clear();
  }

  override retry(): void {
    this.summaries.retry();
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === this.statusEvent) void this.refreshStatus();
  }

  /** Request the status again. Requests that are made meanwhile share the next reply. */
  async refreshStatus(): Promise<void> {
    try {
      const reply = await this.client.request<{ status: Status }>("status", {}, { fresh: true, priority: RUN_PRIORITY.status });
      if (!reply || !this.hello) return;
      this.hello = { ...this.hello, status: reply.content.status };
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }

  /**
   * Return the summary of the data of settings.
   * @param parts the values of the settings that it depends on
   */
  protected summaryOf(settings: object, parts: unknown[]): Lookup<Summary> {
    return this.summaries.read(JSON.stringify(parts), async () => {
      const reply = await this.client.request<{ summary: Summary }>("data", { settings }, { lane: "work", attempts: 3 });
      return reply?.content.summary;
    });
  }
}
