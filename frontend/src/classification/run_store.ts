import { type Lookup, Resource } from "../kernel/resource.ts";
import { StatusStore } from "../kernel/status_store.ts";
import type { Hello } from "../kernel/store.ts";

/** Priorities of the requests of panels of runs. */
export const RUN_PRIORITY = { stop: 1, start: 2, run: 6 };
const MAX_SUMMARIES = 20;

interface RunHello<Status> extends Hello {
  status: Status;
}

/** The data that all views of a panel share whose runs are computed in the kernel: the status, and summaries of data to run on. */
export abstract class RunStore<Status, Summary, Content extends RunHello<Status>> extends StatusStore<Status, Content> {
  private readonly summaries = new Resource<Summary>(this.client, this.notify, MAX_SUMMARIES);

  /** Runs do not depend on the model of the service; how the data fits it does. */
  protected override reset(): void {
    this.summaries.clear();
  }

  override retry(): void {
    this.summaries.retry();
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
