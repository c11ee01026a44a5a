/** The data that all views of an EvaluationPanel share. */
import { PhotographStore } from "../classification/photograph_store.ts";
import { RunCache } from "../classification/run_cache.ts";
import { errorMessage } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import { isActive, type Results, readResults, runVersion } from "./results.ts";
import type {
  Comparison,
  DataSummary,
  HelloReply,
  LabelledPhotograph,
  RunReply,
  RunSummary,
  Settings,
  Status,
  ValuedPhotograph,
} from "./wire.ts";

export const PRIORITY = { stop: 1, start: 2, status: 3, why: 4, run: 6 };
const MAX_SUMMARIES = 20;
const MAX_COMPARISONS = 20;
const COMPARED_PHOTOGRAPHS = 24;
const LIVE_INTERVAL = 700; // ms between two requests for the results of a run that goes on

export class EvaluationStore extends Store<HelloReply> {
  private readonly imagesOf = (run: number): string | number => this.digests.get(run) ?? run;
  readonly photographs = new PhotographStore(this.client, undefined, undefined, this.imagesOf);
  readonly labelled = new PhotographStore<LabelledPhotograph>(this.client, undefined, undefined, this.imagesOf);
  readonly valued = new PhotographStore<ValuedPhotograph>(this.client, undefined, undefined, this.imagesOf);
  private readonly summaries = new Resource<DataSummary>(this.client, this.notify, MAX_SUMMARIES);
  private readonly comparisons = new Resource<Comparison>(this.client, this.notify, MAX_COMPARISONS);
  /** The digest of the photographs of each run. */
  private readonly digests = new Map<number, string>();
  private readonly results = new RunCache<Results>({
    client: this.client,
    changed: this.notify,
    fetch: (run) => this.fetchResults(run),
    versionOf: ({ version }) => version,
    interval: LIVE_INTERVAL,
  });

  get status(): Status | null {
    return this.hello?.status ?? null;
  }

  override close(): void {
    super.close();
    this.results.close();
    for (const store of [this.photographs, this.labelled, this.valued]) store.close();
  }

  /** Runs do not depend on the model of the service; how classes match does. */
  protected override reset(): void {
    this.summaries.clear();
  }

  override retry(): void {
    this.summaries.retry();
    this.comparisons.retry();
    this.results.retry();
    for (const store of [this.photographs, this.labelled, this.valued]) store.retry();
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === "evaluation") void this.refreshStatus();
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
    const { data, root, limit, mapping } = settings;
    return this.summaries.read(JSON.stringify([data, root, limit, mapping]), async () => {
      const reply = await this.client.request<{ summary: DataSummary }>("data", { settings }, { lane: "work", attempts: 3 });
      return reply?.content.summary;
    });
  }

  /** Return the newest loaded results of a run. If they are outdated, fetch newer ones. */
  runResults(summary: RunSummary | null): Lookup<Results> {
    if (!summary?.photographs) return { value: undefined, error: undefined };
    return this.results.read(summary.run, runVersion(summary), !isActive(summary));
  }

  /** Return two complete or stopped runs compared. */
  comparison(before: RunSummary, after: RunSummary): Lookup<Comparison> {
    const key = `${runVersion(before)}|${runVersion(after)}`;
    return this.comparisons.read(key, async () => {
      const fields = { before: before.run, after: after.run, limit: COMPARED_PHOTOGRAPHS };
      const options = { lane: "work", owner: this.comparisons, key, attempts: 3 } as const;
      const reply = await this.client.request<{ comparison: Comparison }>("compare", fields, options);
      return reply?.content.comparison;
    });
  }

  private async fetchResults(run: number): Promise<Results | null> {
    const options = { key: `run ${run}`, fresh: true, priority: PRIORITY.run, lane: "work" } as const;
    const reply = await this.client.request<RunReply>("run", { run }, options);
    if (!reply) return null;
    const digest = reply.content.digests.find(([name]) => name.includes("photographs"))?.[1];
    if (digest) this.digests.set(run, digest);
    return readResults(reply.content, reply.buffers);
  }
}
