import type { KernelClient } from "../kernel/client.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import type { Pending } from "./wire.ts";

const RECHECK = 1500; // ms; the event may have come before the reply that says that the answer is pending

export interface AwaitedLookup<Value> extends Lookup<Value> {
  /** The progress while it is computed. */
  pending: Pending | undefined;
}

/** A cache of answers that the kernel computes by and by: a pending one is requested again after its event. */
export class AwaitedResource<Value> {
  private readonly resource: Resource<Value>;
  private readonly waiting = new Map<string, Pending>();
  /** The last progress, which is shown while the answer is requested again. */
  private readonly progress = new Map<string, Pending>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    client: Pick<KernelClient, "available">,
    private readonly changed: () => void,
    limit: number,
  ) {
    this.resource = new Resource(client, changed, limit);
  }

  get(key: string): Value | undefined {
    return this.resource.get(key);
  }

  /** @param fetch returns the answer, or its progress if it is pending */
  read(key: string, fetch: () => Promise<{ value: Value } | { pending: Pending } | null>): AwaitedLookup<Value> {
    const waiting = this.waiting.get(key);
    if (waiting) return { value: this.resource.get(key), error: this.resource.error(key), pending: waiting };
    const lookup = this.resource.read(key, async () => {
      const reply = await fetch();
      if (!reply) return null;
      if ("value" in reply) {
        this.progress.delete(key);
        return reply.value;
      }
      this.waiting.set(key, reply.pending);
      this.progress.set(key, reply.pending);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.requestAgain(), RECHECK);
      return null;
    });
    return { ...lookup, pending: this.progress.get(key) };
  }

  /** Request the pending answers again that are read next. */
  requestAgain(): void {
    clearTimeout(this.timer);
    if (!this.waiting.size) return;
    this.waiting.clear();
    this.changed();
  }

  retry(): void {
    this.resource.retry();
  }

  clear(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
    this.progress.clear();
    this.resource.clear();
  }
}
