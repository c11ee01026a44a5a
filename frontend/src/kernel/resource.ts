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
    if (value === undefined && error === undefined && !this.pending.has(key) && this.client.available) void this.load(key, fetch);
    return { value, error };
  }

  /** Clear the errors, so that the values are fetched again. */
  retry(): void {
    this.errors.clear();
  }

  /** Remove all values and errors, and ignore the replies to pending requests. */
  clear(): void {
    this.values.clear();
    this.errors.clear();
    this.pending.clear();
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
      if (!(error instanceof KernelUnavailable)) this.errors.set(key, errorMessage(error)); // else fetched when the kernel is available again
    }
    this.pending.delete(key);
    this.changed();
  }

  private put(key: string, value: Value): void {
    this.values.set(key, value);
    for (const oldest of this.values.keys()) {
      if (this.values.size <= this.limit) break;
      this.values.delete(oldest);
    }
  }
}
