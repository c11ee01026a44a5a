import { KernelClient, type Message } from "../src/kernel/client.ts";
import type { WidgetModel } from "../src/kernel/model.ts";

export interface SentMessage extends Message {
  seq: number;
  client: string;
  kind: string;
}

/** A fake of anywidget's model. The test sends the replies. */
export class FakeModel {
  readonly sent: SentMessage[] = [];
  readonly buffers: ArrayBuffer[][] = [];
  /** Whether the connection to the kernel is lost. */
  broken = false;
  private readonly listeners = new Map<string, Set<(...values: unknown[]) => void>>();

  get asModel(): WidgetModel {
    return this as unknown as WidgetModel;
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, listeners) => sum + listeners.size, 0);
  }

  on(name: string, listener: (...values: unknown[]) => void): void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
  }

  off(name: string, listener: (...values: unknown[]) => void): void {
    this.listeners.get(name)?.delete(listener);
  }

  send(message: Message, _callbacks: unknown, buffers: ArrayBuffer[]): void {
    if (this.broken) throw new Error("Cannot send");
    this.sent.push(message as SentMessage);
    this.buffers.push(buffers);
  }

  emit(name: string, ...values: unknown[]): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener(...values);
  }

  /** Answer a request, the newest by default. */
  answer(content: Message = {}, { at = this.sent.length - 1, buffers = [] as DataView[] } = {}): void {
    const { seq, client } = this.sent[at] as SentMessage;
    this.emit("msg:custom", { seq, client, ok: true, ...content }, buffers);
  }

  kinds(): string[] {
    return this.sent.map(({ kind }) => kind);
  }
}

export function makeClient() {
  const model = new FakeModel();
  const client = new KernelClient(model.asModel);
  const told: [string, unknown][] = [];
  client.listen({
    event: ({ event }) => told.push(["event", event]),
    available: (available) => told.push(["available", available]),
    slow: (slow) => told.push(["slow", slow]),
  });
  return { model, client, told };
}

/** Wait until pending promises are resolved. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A buffer as it is received: it need not be aligned to four bytes. */
export function unaligned(array: Float32Array | Int32Array): DataView {
  const bytes = new Uint8Array(array.byteLength + 1);
  bytes.set(new Uint8Array(array.buffer), 1);
  return new DataView(bytes.buffer, 1);
}
