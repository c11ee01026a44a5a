/** The page's one client of a widget's kernel. */
import type { WidgetModel } from "./model.ts";
import { Pace } from "./pace.ts";
import { type Lane, type Message, type QueuedRequest, type Reply, RequestQueue } from "./queue.ts";
import type { ServiceEvent } from "./wire.ts";

export type { Message, Reply } from "./queue.ts";

export type Policy = "latest" | "queue" | "once";

export interface RequestOptions {
  policy?: Policy;
  lane?: Lane;
  /** Lower goes first among the requests that wait; 0 by default. */
  priority?: number;
  /** What requests supersede each other by; the kind by default. */
  key?: string;
  /** Whose key it is. */
  owner?: object;
  buffers?: ArrayBuffer[];
  timeout?: number;
  attempts?: number;
  /** Whether the reply must be from after this request: one that is in flight does not answer it. */
  fresh?: boolean;
  /** Whether requests come in a steady rhythm, so that it may be worth waiting for the next one. */
  paced?: boolean;
  /** Called as the reply comes; where it returns a promise, nothing else of the lane is sent until that has settled. */
  receive?: (reply: Reply) => unknown;
  /** Called just before the request is sent; false drops it. */
  beforeSend?: () => boolean;
}

export interface ListedRequest {
  kind: string;
  fields: Message;
  receive: (reply: Reply) => unknown;
  fail: (error: unknown) => void;
  beforeSend: () => boolean;
}

export interface ClientListener {
  event?: (event: ServiceEvent) => void;
  /** The kernel stopped answering (false), or answers again. */
  available?: (available: boolean) => void;
  /** It takes unusually long to answer (true), or answered after all. */
  slow?: (slow: boolean) => void;
}

const TIMEOUT = 15_000; // ms
const ATTEMPTS = 3;
const PATIENT_ATTEMPTS = 12; // of requests that are sent once

/**
 * Sends requests to the kernel and hands out its replies and events. All views of a widget in this page share one client.
 *
 * **Policies.** `latest` (the default): a newer request of the same owner and key supersedes one that waits, whose promise resolves to
 * null; one that is in flight is still answered, and its reply also answers a newer one that asks for the same (unless that must be
 * `fresh`). `queue`: all are sent, in order. `once`: like `queue`, but never sent a second time, and waited for longer.
 *
 * **Lanes.** `urgent` (the default): one request in flight. `background`: one more in flight, sent with `background: true`, and only while
 * no urgent request is in flight. `work`: long work of the kernel, such as drawing a file; several may be in flight (one for each owner and
 * key of the policy `latest`), they block nothing, and none is sent twice.
 *
 * **Time-outs.** A request whose reply is overdue is sent again, and given up after some attempts. Then the kernel counts as
 * unavailable: all that waits is rejected with `KernelUnavailable`, until any message comes from the kernel. The same happens at once
 * where the page is told that the kernel restarts or is disconnected (ipywidgets' `comm_live_update`). A new request is always tried.
 *
 * **Protocol.** A request is `{seq, client, kind, ...}` and buffers. A reply is `{seq, client, ok: true, ...}` and buffers, or
 * `{seq, client, ok: false, error, refused?}`. For work that it has put on a worker the kernel first sends `{seq, client, accepted: true}`:
 * from then on that request has no time-out. Events, which no request caused, are `{event, ...}`.
 */
export class KernelClient {
  readonly id = Math.random().toString(36).slice(2);
  private readonly queue: RequestQueue;
  private readonly listeners = new Set<ClientListener>();
  private readonly owners = new WeakMap<object, number>();
  private readonly paces = new Map<string, Pace>();
  private ownerCount = 0;
  private freshCount = 0;

  constructor(private readonly model: WidgetModel) {
    const listener = {
      available: (available: boolean) => this.tell((one) => one.available?.(available)),
      slow: (slow: boolean) => this.tell((one) => one.slow?.(slow)),
    };
    const send = (message: Message, buffers: ArrayBuffer[]) => model.send({ ...message, client: this.id }, undefined, buffers);
    this.queue = new RequestQueue(send, listener);
    model.on("msg:custom", this.receive);
    model.on("comm_live_update", this.disconnect);
  }

  get available(): boolean {
    return this.queue.available;
  }

  /**
   * Send a request. Return its reply, or null where a newer request superseded it or its owner was released.
   *
   * Rejects with `KernelError` where the kernel refuses, with `KernelUnavailable` where it does not answer.
   */
  request<Content = Message>(kind: string, fields: Message = {}, options: RequestOptions = {}): Promise<Reply<Content> | null> {
    const { policy = "latest", buffers = [], owner, paced = false } = options;
    const name = this.keyOf(owner, options.key ?? kind);
    return new Promise((resolve, reject) => {
      this.queue.add({
        ...this.defaults(policy, options),
        message: { kind, ...fields },
        buffers,
        key: policy === "latest" ? name : null,
        content: options.fresh ? `fresh ${++this.freshCount}` : JSON.stringify(fields),
        pace: paced ? this.paceOf(name) : null,
        receive: options.receive ?? null,
        beforeSend: options.beforeSend ?? (() => true),
        resolve: (reply) => resolve(reply as Reply<Content> | null),
        reject,
      });
    });
  }

  /** Send a list of requests, most urgent first; those of the same owner's list with that name that still wait are dropped. */
  requestList(name: string, requests: ListedRequest[], { owner, lane = "background", priority = 0 }: RequestOptions): void {
    const key = this.keyOf(owner, name);
    const queued = requests.map(
      ({ kind, fields, receive, fail, beforeSend }): QueuedRequest => ({
        ...this.defaults("latest", { lane, priority }),
        message: { kind, ...fields },
        buffers: [],
        key,
        content: JSON.stringify(fields),
        pace: null,
        receive,
        beforeSend,
        resolve: () => {},
        reject: fail,
      }),
    );
    this.queue.replace(key, queued);
  }

  /** Be told of events and of how the kernel does. Return the function that ends it. */
  listen(listener: ClientListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Drop the waiting request of an owner and key; its promise resolves to null. */
  cancel(key: string, owner: object): void {
    const name = this.keyOf(owner, key);
    this.queue.drop((request) => request.key === name);
  }

  /** Drop the waiting requests of an owner that is gone. */
  release(owner: object): void {
    const prefix = this.keyOf(owner, "");
    this.queue.drop(({ key }) => key?.startsWith(prefix) ?? false);
  }

  /** The kernel's state changed: a request that is in flight answers no later one. */
  outdate(): void {
    this.queue.outdate();
  }

  /** Tell the kernel that no view is open, so that it need not keep the widget. The next `hello` takes it back. */
  leave(): void {
    if (this.available) this.model.send({ kind: "goodbye", client: this.id });
  }

  close(): void {
    this.model.off("msg:custom", this.receive);
    this.model.off("comm_live_update", this.disconnect);
    this.listeners.clear();
    this.queue.close();
  }

  private readonly receive = (message: Message | null, buffers: DataView[] | null): void => {
    if (message?.event) this.tell((listener) => listener.event?.(message as unknown as ServiceEvent));
    else if (message?.client === this.id) this.queue.receive(message, buffers ?? []);
  };

  /** ipywidgets sets a model live once, before this client is made: every later change means that the connection is gone. */
  private readonly disconnect = (): void => this.queue.disconnect();

  private defaults(policy: Policy, { lane = "urgent", priority = 0, timeout, attempts }: RequestOptions) {
    const once = policy === "once" || lane === "work";
    const limits = { timeout: timeout ?? TIMEOUT, attempts: attempts ?? (once ? PATIENT_ATTEMPTS : ATTEMPTS), resend: !once };
    return { lane, priority, ...limits };
  }

  private keyOf(owner: object | undefined, key: string): string {
    if (!owner) return key;
    const known = this.owners.get(owner) ?? ++this.ownerCount;
    this.owners.set(owner, known);
    return `${known}:${key}`;
  }

  private paceOf(key: string): Pace {
    const pace = this.paces.get(key) ?? new Pace();
    this.paces.set(key, pace);
    return pace;
  }

  private tell(what: (listener: ClientListener) => void): void {
    for (const listener of [...this.listeners]) what(listener);
  }
}
