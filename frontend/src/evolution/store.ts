/** The data that all views of an EvolutionExplorer share. The selected unit is that of a LayerExplorer: its requests name an epoch, too. */
import { type Lookup, Resource } from "../kernel/resource.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import { LayerStore } from "../layers/store.ts";
import { CellStore } from "./cell_store.ts";
import type { Column, Convergence, EvolutionHello, History, Measure, RowChoice, RowsReply, UnitName } from "./wire.ts";

const PRIORITY = { rows: 0, convergence: 2, history: 4 };
const OVERVIEW_INTERVAL = 400; // ms between two requests while indexes are built

/** Return the name of a layer at a checkpoint, as requests of the selected unit call it. Must agree with `epoch_requests.py`. */
export function layerAt(layer: string, { epoch, unit }: Pick<Column, "epoch" | "unit">): string {
  return `${layer}, ${unit} ${epoch}`;
}

export class EvolutionStore extends LayerStore {
  declare hello: EvolutionHello | null;
  readonly cells = new CellStore(this.client, this.notify);
  private readonly rowLists = new Resource<RowsReply>(this.client, this.notify, 8);
  private readonly convergences = new Resource<Convergence>(this.client, this.notify);
  private readonly histories = new Resource<History>(this.client, this.notify, 64);
  private ready = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  override close(): void {
    clearTimeout(this.timer);
    super.close();
    this.cells.close();
  }

  protected override reset(): void {
    super.reset();
    this.renewAll();
  }

  override retry(): void {
    super.retry();
    for (const cache of [this.rowLists, this.convergences, this.histories, this.cells]) cache.retry();
  }

  /** There is a new checkpoint, or an index grows or is ready. */
  protected override onEvent({ event }: ServiceEvent): void {
    if (event !== "evolution" && event !== "progress") return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.fetchOverview();
    }, OVERVIEW_INTERVAL);
  }

  override async fetchOverview(): Promise<void> {
    await super.fetchOverview();
    const ready = JSON.stringify(this.readyEpochs);
    if (ready === this.ready) return;
    this.ready = ready;
    this.renewAll();
    this.notify();
  }

  /** The epochs whose index is ready. */
  get readyEpochs(): number[] {
    return (this.hello?.evolution.columns ?? []).filter(({ state }) => state === "ready").map(({ epoch }) => epoch);
  }

  rows({ choose, units, count, seed, layers }: RowChoice): Lookup<RowsReply> {
    const choice = { choose, units, count, seed, layers };
    const key = JSON.stringify(choice);
    return this.rowLists.read(key, async () => (await this.ask<RowsReply>("rows", { choice }, PRIORITY.rows)) ?? null);
  }

  convergence(measure: Measure): Lookup<Convergence> {
    return this.convergences.read(
      measure,
      async () => (await this.ask<Convergence>("convergence", { measure }, PRIORITY.convergence)) ?? null,
    );
  }

  history([layer, unit]: UnitName): Lookup<History> {
    return this.histories.read(
      `${layer}|${unit}`,
      async () => (await this.ask<History>("history", { layer, unit }, PRIORITY.history)) ?? null,
    );
  }

  private async ask<Content>(kind: string, fields: Record<string, unknown>, priority: number): Promise<Content | undefined> {
    return (await this.client.request<Content>(kind, fields, { priority, fresh: true }))?.content;
  }

  /** Show what is loaded until it is read again. Cells stay: an index does not change. */
  private renewAll(): void {
    for (const cache of [this.rowLists, this.convergences, this.histories]) cache.renew();
  }
}
