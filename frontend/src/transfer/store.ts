/** The data that all views of a TransferPanel share. */

import { PhotographStore } from "../classification/photograph_store.ts";
import { RunCache } from "../classification/run_cache.ts";
import { errorMessage } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import { PlotlyLoader } from "../ui/plotly.ts";
import { type RunResults, readResults, runVersion } from "./run_results.ts";
import type { DataSummary, HelloReply, RunReply, RunSummary, Settings, Status } from "./wire.ts";

export const PRIORITY = { stop: 1, start: 2, status: 3, head: 4, run: 6, upload: 10 };
const MAX_SUMMARIES = 20;

export class TransferStore extends Store<HelloReply> {
  readonly plotly = new PlotlyLoader(this.client);
  readonly photographs = new PhotographStore(this.client);
  private readonly summaries = new Resource<DataSummary>(this.client, this.notify, MAX_SUMMARIES);
  private readonly results = new RunCache<RunResults>({
    client: this.client,
    changed: this.notify,
    fetch: (run) => this.fetchResults(run),
    versionOf: ({ version }) => version,
  });

  get status(): Status | null {
    return this.hello?.status ?? null;
  }

  override close(): void {
    super.close();
    this.photographs.close();
  }

  /** Runs do not depend on the model and images of the service. */
  protected override reset(): void {
    this.summaries.clear();
  }

  override retry(): void {
    this.summaries.retry();
    this.results.retry();
    this.photographs.retry();
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === "transfer") void this.refreshStatus();
  }

  /** Request the status again. Requests that are made meanwhile share the next reply. */
  async refreshStatus(): Promise<void> {
    try {
      const reply = await this.client.request<{ status: Status }>("status", {}, { fresh: true, priority: PRIORITY.status });
      if (!reply || !this.hello) return;
      this.hello = { ...this.hello, status: reply.content.status };
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }

  /** Return the summary of the data of the settings. */
  dataSummary(settings: Settings): Lookup<DataSummary> {
    const { data, root, images_per_class: images, layer } = settings;
    return this.summaries.read(JSON.stringify([data, root, images, layer]), async () => {
      const reply = await this.client.request<{ summary: DataSummary }>("data", { settings }, { lane: "work", attempts: 3 });
      return reply?.content.summary;
    });
  }

  /** Return the newest loaded results of a run. If they are outdated, fetch newer ones. */
  runResults(summary: RunSummary | null): Lookup<RunResults> {
    if (!summary?.per_fold.length) return { value: undefined, error: undefined };
    return this.results.read(summary.run, runVersion(summary));
  }

  private async fetchResults(run: number): Promise<RunResults | null> {
    const reply = await this.client.request<RunReply>("run", { run }, { key: `run ${run}`, fresh: true, priority: PRIORITY.run });
    return reply && readResults(reply.content, reply.buffers);
  }
}
