import { KernelClient } from "./client.ts";
import { errorMessage } from "./errors.ts";
import type { WidgetModel } from "./model.ts";
import { UnitFactors } from "./unit_factors.ts";
import type { Overview, ServiceEvent } from "./wire.ts";

/** The part of the reply to `hello` that all widgets on one model have in common. */
export interface Hello {
  overview: Overview;
}

const HELLO_PRIORITY = -100;
const HELLO_TIMEOUT = { timeout: 3000, attempts: 15 };

/** The store of any widget. */
export type AnyStore = Store<object>;

/** The state that all views of a widget share: the client, and the fetched data. The reply to `hello` has an overview if there is one model. */
export abstract class Store<Content extends object = Hello> {
  readonly client: KernelClient;
  /** The reply to `hello`; null before it arrives. */
  hello: Content | null = null;
  /** The error message of the service or the kernel; empty without an error. */
  problem = "";
  readonly units: UnitFactors;
  /** The view that was opened or used last. */
  usedView: object | null = null;
  private readonly subscribers = new Set<() => void>();

  constructor(private readonly model: WidgetModel) {
    this.client = new KernelClient(model);
    this.units = new UnitFactors({
      client: this.client,
      units: () => this.overview?.units ?? null,
      received: (units) => {
        if (this.hello && this.overview) this.hello = { ...this.hello, overview: { ...this.overview, units } };
      },
      failed: (message) => {
        if (message || this.client.available) this.problem = message;
      },
      changed: () => this.notify(),
    });
    this.client.listen({ event: (event) => this.handle(event), available: (available) => this.setAvailable(available) });
  }

  private get overview(): Overview | undefined {
    return (this.hello as Partial<Hello> | null)?.overview;
  }

  /** Clear the fetched data: the state of the service has changed. */
  protected abstract reset(): void;

  /** Clear the errors, so that failed requests are repeated. */
  abstract retry(): void;

  /** Handle an event of this instrument. */
  protected onEvent(_event: ServiceEvent): void {}

  /** Register a callback for changes. Return a function that removes it. */
  subscribe(changed: () => void): () => void {
    this.subscribers.add(changed);
    return () => this.subscribers.delete(changed);
  }

  close(): void {
    this.subscribers.clear();
    this.client.close();
  }

  /**
   * Request the overview. Each view does so when it is rendered: the request also tells the kernel the browser's subshell, so that
   * later requests are answered while a cell runs. The first attempt may still wait for the running cell.
   */
  async fetchOverview(): Promise<void> {
    try {
      const reply = await this.client.request<Content>("hello", {}, { priority: HELLO_PRIORITY, ...HELLO_TIMEOUT });
      if (!reply) return;
      this.hello = reply.content;
      this.problem = "";
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }

  /** Call on a user action: clear the errors and retry failed requests. */
  onUserAction(): void {
    if (this.client.available) this.problem = "";
    this.retry();
    if (!this.hello || !this.client.available) void this.fetchOverview();
    this.client.checkAlive();
  }

  protected readonly notify = (): void => {
    for (const changed of [...this.subscribers]) changed();
  };

  private handle(event: ServiceEvent): void {
    if (event.event === "failed") {
      this.problem = event.message;
      this.notify();
    } else if (event.event === "changed") {
      this.client.invalidateInFlight();
      this.reset();
      void this.fetchOverview();
      this.notify();
    } else if (event.event === "summary") this.returnSummary();
    else if (!this.hello) void this.fetchOverview();
    else this.onEvent(event);
  }

  /**
   * Set the summary, which the kernel has changed by itself, to its value. marimo runs the cells that read a widget only if the page
   * changes it; elsewhere an unchanged value is not sent.
   */
  private returnSummary(): void {
    this.model.set("summary", this.model.get("summary"));
    this.model.save_changes();
  }

  private setAvailable(available: boolean): void {
    if (!available) this.problem = this.client.reason;
    else {
      if (this.problem === this.client.reason) this.problem = "";
      this.retry();
      void this.fetchOverview();
    }
    this.notify();
  }
}
