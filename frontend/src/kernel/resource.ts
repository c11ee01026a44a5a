import type { KernelClient } from "./client.ts";
import { errorMessage, KernelUnavailable } from "./errors.ts";

export interface Lookup<Value> {
  value: Value | undefined;
  /** The message of the error if the value could not be fetched. */
  error: string | undefined;
}

/**
 * An LRU cache of values that are fetched from the kernel by key. Nothing is fetched while the kernel is unavailable; failed requests are
 * repeated after `retry` only.
 */
export class Resource<Value> {
  private readonly values = new Map<string, Value>(); // least recently used first
  private readonly errors = new Map<string, string>();
  private readonly pending = new Map<string, object>();
  /** The keys whose values are returned until they are fetched again. */
  private readonly stale = new Set<string>();

  /**
   * @param changed called when a value or an error was received
   * @param limit the maximum number of values
   */
  constructor(
    private readonly client: Pick<KernelClient, "available">,
    private readonly changed: () => void,
    private readonly limit = Number.POSITIVE_INFINITY,
  ) {}

  get(key: string): Value | undefined {
    const value = this.values.get(key);
    if (value !== undefined) {
      this.values.delete(key);
      this.values.set(key, value);
    }
    return value;
  }

  error(key: string): string | undefined {
    return this.errors.get(key);
  }

  /** Return the value or error of a key. If there is neither, fetch the value. */
  read(key: string, fetch: () => Promise<Value | null | undefined>): Lookup<Value> {
    const value = this.get(key);
    const error = this.errors.get(key);
    const needed = value === undefined ? error === undefined : this.stale.has(key);
    if (needed && !this.pending.has(key) && this.client.available) void this.load(key, fetch);
    return { value, error };
  }

  /** Clear the errors, so that the values are fetched again. */
  retry(): void {
    this.errors.clear();
  }

  /** Fetch the values again that are read next, and return the old ones until they arrive. */
  renew(isOutdated: (key: string) => boolean = () => true): void {
    for (const key of this.values.keys()) if (isOutdated(key)) this.stale.add(key);
    for (const key of this.errors.keys()) if (isOutdated(key)) this.errors.delete(key);
    for (const key of this.pending.keys()) if (isOutdated(key)) this.pending.delete(key);
  }

  isPending(key: string): boolean {
    return this.pending.has(key);
  }

  /** Return whether a value is to be fetched again. */
  isStale(key: string): boolean {
    return this.stale.has(key);
  }

  /** Remove all values and errors, and ignore the replies to pending requests. */
  clear(): void {
    this.values.clear();
    this.errors.clear();
    this.pending.clear();
    this.stale.clear();
  }

  private async load(key: string, fetch: () => Promise<Value | null | undefined>): Promise<void> {
    const token = {};
    this.pending.set(key, token);
    try {
      const value = await fetch();
      if (this.pending.get(key) !== token) return;
      if (value !== null && value !== undefined) this.put(key, value);
    } catch (error) {
      if (this.pending.get(key) !== token) return;
      if (!(error instanceof KernelUnavailable)) this.fail(key, errorMessage(error)); // else fetched when the kernel is available again
    }
    this.pending.delete(key);
    this.changed();
  }

  private fail(key: string, message: string): void {
    this.errors.set(key, message);
    this.values.delete(key);
    this.stale.delete(key);
  }

  private put(key: string, value: Value): void {
    this.stale.delete(key);
    this.values.set(key, value);
    for (const oldest of this.values.keys()) {
      if (this.values.size <= this.limit) break;
      this.values.delete(oldest);
    }
  }
}
