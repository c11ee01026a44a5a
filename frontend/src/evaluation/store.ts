/** The data that all views of an EvaluationPanel share. */
import { PhotographStore } from "../classification/photograph_store.ts";
import { RunCache } from "../classification/run_cache.ts";
import { RUN_PRIORITY, RunStore } from "../classification/run_store.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
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

const MAX_COMPARISONS = 20;
const COMPARED_PHOTOGRAPHS = 24;
const LIVE_INTERVAL = 700; // ms between two requests for the results of a run that goes on

export class EvaluationStore extends RunStore<Status, DataSummary, HelloReply> {
  protected override readonly statusEvent = "evaluation";
  private readonly imagesOf = (run: number): string | number => this.digests.get(run) ?? run;
  readonly photographs = new PhotographStore(this.client, undefined, undefined, this.imagesOf);
  readonly labelled = new PhotographStore<LabelledPhotograph>(this.client, undefined, undefined, this.imagesOf);
  readonly valued = new PhotographStore<ValuedPhotograph>(this.client, undefined, undefined, this.imagesOf);
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

  override close(): void {
    super.close();
    this.results.close();
    for (const store of [this.photographs, this.labelled, this.valued]) store.close();
  }

  override retry(): void {
    super.retry();
    this.comparisons.retry();
    this.results.retry();
    for (const store of [this.photographs, this.labelled, this.valued]) store.retry();
  }

  /** Return the summary of the data of the settings. */
  dataSummary(settings: Settings): Lookup<DataSummary> {
    const { data, root, limit, mapping } = settings;
    return this.summaryOf(settings, [data, root, limit, mapping]);
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
    const options = { key: `run ${run}`, fresh: true, priority: RUN_PRIORITY.run, lane: "work" } as const;
    const reply = await this.client.request<RunReply>("run", { run }, options);
    if (!reply) return null;
    const digest = reply.content.digests.find(([name]) => name.includes("photographs"))?.[1];
    if (digest) this.digests.set(run, digest);
    return readResults(reply.content, reply.buffers);
  }
}
