import { KernelClient } from "./client.ts";
import { errorMessage, UNAVAILABLE } from "./errors.ts";
import type { WidgetModel } from "./model.ts";
import type { Overview, ServiceEvent } from "./wire.ts";

/** What every kernel tells of itself. */
export interface Hello {
  overview: Overview;
}

const HELLO_PRIORITY = -100;
const HELLO_TIMES = { timeout: 3000, attempts: 15 };

/** What all views of one widget share: the client, and what was fetched. */
export abstract class Store<Content extends Hello = Hello> {
  readonly client: KernelClient;
  /** The kernel's answer to the greeting; null before it came. */
  hello: Content | null = null;
  /** What is wrong with the service or the kernel; empty where nothing is. */
  problem = "";
  private readonly subscribers = new Set<() => void>();

  constructor(model: WidgetModel) {
    this.client = new KernelClient(model);
    this.client.listen({ event: (event) => this.handle(event), available: (available) => this.setAvailable(available) });
  }

  /** Forget what was fetched: the service's state is another one. */
  protected abstract reset(): void;

  /** Forget what failed, so that it is fetched again. */
  abstract retry(): void;

  /** Take an event of this instrument. */
  protected onEvent(_event: ServiceEvent): void {}

  /** Be told when something has changed. Return the function that ends it. */
  subscribe(changed: () => void): () => void {
    this.subscribers.add(changed);
    return () => this.subscribers.delete(changed);
  }

  close(): void {
    this.subscribers.clear();
    this.client.close();
  }

  /**
   * Ask for the overview. Each view asks when it renders: the request also tells the kernel the browser's shell, so that views are
   * answered while cells run. Until then messages wait for the running cell; the next attempt need not.
   */
  async fetchOverview(): Promise<void> {
    try {
      const reply = await this.client.request<Content>("hello", {}, { priority: HELLO_PRIORITY, ...HELLO_TIMES });
      if (!reply) return;
      this.hello = reply.content;
      this.problem = "";
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }

  /** The user does something: what failed is tried again. */
  userActed(): void {
    if (this.problem !== UNAVAILABLE) this.problem = "";
    this.retry();
    if (!this.hello || !this.client.available) void this.fetchOverview();
  }

  protected readonly notify = (): void => {
    for (const changed of [...this.subscribers]) changed();
  };

  private handle(event: ServiceEvent): void {
    if (event.event === "failed") {
      this.problem = event.message;
      this.notify();
    } else if (event.event === "changed") {
      this.client.outdate();
      this.reset();
      void this.fetchOverview();
      this.notify();
    } else if (!this.hello) void this.fetchOverview();
    else this.onEvent(event);
  }

  private setAvailable(available: boolean): void {
    if (!available) this.problem = UNAVAILABLE;
    else {
      if (this.problem === UNAVAILABLE) this.problem = "";
      this.retry();
      void this.fetchOverview();
    }
    this.notify();
  }
}
