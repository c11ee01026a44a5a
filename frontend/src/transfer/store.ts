/** The data that all views of a TransferPanel share. */

import { PhotographStore } from "../classification/photograph_store.ts";
import { RunCache } from "../classification/run_cache.ts";
import { RUN_PRIORITY, RunStore } from "../classification/run_store.ts";
import type { Lookup } from "../kernel/resource.ts";
import { PlotlyLoader } from "../ui/plotly.ts";
import { type RunResults, readResults, runVersion } from "./run_results.ts";
import type { DataSummary, HelloReply, RunReply, RunSummary, Settings, Status } from "./wire.ts";

export class TransferStore extends RunStore<Status, DataSummary, HelloReply> {
  protected override readonly statusEvent = "transfer";
  readonly plotly = new PlotlyLoader(this.client);
  readonly photographs = new PhotographStore(this.client);
  private readonly results = new RunCache<RunResults>({
    client: this.client,
    changed: this.notify,
    fetch: (run) => this.fetchResults(run),
    versionOf: ({ version }) => version,
  });

  override close(): void {
    super.close();
    this.photographs.close();
  }

  override retry(): void {
    super.retry();
    this.results.retry();
    this.photographs.retry();
  }

  /** Return the summary of the data of the settings. */
  dataSummary(settings: Settings): Lookup<DataSummary> {
    const { data, root, images_per_class: images, layer } = settings;
    return this.summaryOf(settings, [data, root, images, layer]);
  }

  /** Return the newest loaded results of a run. If they are outdated, fetch newer ones. */
  runResults(summary: RunSummary | null): Lookup<RunResults> {
    if (!summary?.per_fold.length) return { value: undefined, error: undefined };
    return this.results.read(summary.run, runVersion(summary));
  }

  private async fetchResults(run: number): Promise<RunResults | null> {
    const reply = await this.client.request<RunReply>("run", { run }, { key: `run ${run}`, fresh: true, priority: RUN_PRIORITY.run });
    return reply && readResults(reply.content, reply.buffers);
  }
}
