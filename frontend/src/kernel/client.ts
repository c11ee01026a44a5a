/** The client of the kernel, shared by all views of a widget: sends requests, and passes on replies and events. Time-outs are in queue.ts. */
import { RESTARTED } from "./errors.ts";
import { LostWidgetDetector } from "./lost_widget.ts";
import type { WidgetModel } from "./model.ts";
import { Pacer } from "./pace.ts";
import { type Lane, type Message, type QueuedRequest, type Reply, RequestQueue } from "./queue.ts";
import type { ServiceEvent } from "./wire.ts";

export type { Message, Reply } from "./queue.ts";

export type Policy = "latest" | "queue" | "once";

export interface RequestOptions {
  policy?: Policy;
  lane?: Lane;
  /** Pending requests with a lower number are sent first; 0 by default. */
  priority?: number;
  /** Requests with the same key supersede each other; the kind by default. */
  key?: string;
  /** The scope of the key. */
  owner?: object;
  buffers?: ArrayBuffer[];
  timeout?: number;
  attempts?: number;
  /** Whether the reply to an equal request in flight must not be used. */
  fresh?: boolean;
  /** Whether requests are made at a steady rate, so that sending may wait for the next one. */
  steady?: boolean;
  /** Called with the reply. If it returns a promise, the lane is blocked until the promise is settled. */
  receive?: (reply: Reply) => unknown;
  /** Called before the request is sent; false drops it. */
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
  /** Called with false when the kernel stops replying, with true when it replies again. */
  available?: (available: boolean) => void;
  /** Called with true when a reply is overdue, with false when it arrives. */
  slow?: (slow: boolean) => void;
}

const TIMEOUT = 15_000; // ms
const ATTEMPTS = 3;
const ONCE_ATTEMPTS = 12; // for requests that are sent once

/**
 * Sends requests to the kernel and dispatches its replies and events. All views of a widget in a page share one client.
 *
 * **Policies.** `latest` (the default): a request supersedes the pending request of the same owner and key, whose promise resolves to
 * null. The reply to an equal request in flight is used for both, unless the newer one is `fresh`. `queue`: all requests are sent, in
 * order. `once`: like `queue`, but never resent, and with a longer time-out.
 *
 * **Lanes.** `urgent` (the default): one request in flight. `background`: one request in flight, sent with `background: true`, and only
 * while no urgent request is in flight. `work`: long jobs of the kernel, such as rendering a file. Several may be in flight (with the
 * policy `latest` one per owner and key); they block no lane and are never resent.
 *
 * **Time-outs.** A request whose reply is overdue is resent, a limited number of times. After that the kernel is unavailable: all pending
 * requests are rejected with `KernelUnavailable`, until the kernel sends a message. A restart or disconnection that ipywidgets reports
 * (`comm_live_update`) has the same effect, and so has a kernel that no longer has the widget (lost_widget.ts). New requests are sent in
 * any case.
 *
 * **Protocol.** A request is `{seq, client, kind, ...}` and buffers. A reply is `{seq, client, ok: true, ...}` and buffers, or
 * `{seq, client, ok: false, error, refused?}`. If a request is queued for the worker, the kernel first sends
 * `{seq, client, accepted: true}`; from then on the request has no time-out. Events are `{event, ...}`; they belong to no request.
 */
export class KernelClient {
  readonly id = Math.random().toString(36).slice(2);
  private readonly queue: RequestQueue;
  private readonly lost: LostWidgetDetector;
  private readonly listeners = new Set<ClientListener>();
  private readonly owners = new WeakMap<object, number>();
  private readonly pacers = new Map<string, Pacer>();
  private ownerCount = 0;
  private freshCount = 0;

  constructor(private readonly model: WidgetModel) {
    const listener = {
      available: (available: boolean) => this.notify((target) => target.available?.(available)),
      slow: (slow: boolean) => this.notify((target) => target.slow?.(slow)),
    };
    const send = (message: Message, buffers: ArrayBuffer[]) => {
      model.send({ ...message, client: this.id }, this.lost.callbacks(Number(message.seq)), buffers);
    };
    this.queue = new RequestQueue(send, listener);
    this.lost = new LostWidgetDetector({
      ping: (callbacks) => model.send({ kind: "ping", client: this.id }, callbacks),
      isAwaited: (seq) => this.queue.isAwaited(seq),
      lost: () => this.queue.disconnect(RESTARTED),
    });
    model.on("msg:custom", this.receive);
    model.on("comm_live_update", this.disconnect);
  }

  get available(): boolean {
    return this.queue.available;
  }

  /** Why the kernel is not available. */
  get reason(): string {
    return this.queue.reason;
  }

  /** Call on a user action: check that the kernel still has the widget, which no request may need because everything is cached. */
  checkAlive(): void {
    if (this.available) this.lost.check();
  }

  /**
   * Send a request. Return the reply, or null if a newer request superseded it or its owner was released.
   *
   * Reject with `KernelError` if the kernel replies with an error, with `KernelUnavailable` if it does not reply.
   */
  request<Content = Message>(kind: string, fields: Message = {}, options: RequestOptions = {}): Promise<Reply<Content> | null> {
    const { policy = "latest", buffers = [], owner, steady = false } = options;
    const key = this.scopedKey(owner, options.key ?? kind);
    return new Promise((resolve, reject) => {
      this.queue.add({
        ...this.defaults(policy, options),
        message: { kind, ...fields },
        buffers,
        key: policy === "latest" ? key : null,
        content: options.fresh ? `fresh ${++this.freshCount}` : JSON.stringify(fields),
        pacer: steady ? this.pacerFor(key) : null,
        receive: options.receive ?? null,
        beforeSend: options.beforeSend ?? (() => true),
        resolve: (reply) => resolve(reply as Reply<Content> | null),
        reject,
      });
    });
  }

  /** Send a list of requests, in order of urgency. It replaces the pending requests of the owner's list of that name. */
  requestList(name: string, requests: ListedRequest[], { owner, lane = "background", priority = 0 }: RequestOptions): void {
    const key = this.scopedKey(owner, name);
    const queued = requests.map(
      ({ kind, fields, receive, fail, beforeSend }): QueuedRequest => ({
        ...this.defaults("latest", { lane, priority }),
        message: { kind, ...fields },
        buffers: [],
        key,
        content: JSON.stringify(fields),
        pacer: null,
        receive,
        beforeSend,
        resolve: () => {},
        reject: fail,
      }),
    );
    this.queue.replace(key, queued);
  }

  /** Register a listener for events and the state of the kernel. Return a function that removes it. */
  listen(listener: ClientListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Drop the pending request of an owner and key; its promise resolves to null. */
  cancel(key: string, owner: object): void {
    const name = this.scopedKey(owner, key);
    this.queue.drop((request) => request.key === name);
  }

  /** Drop all pending requests of an owner. */
  release(owner: object): void {
    const prefix = this.scopedKey(owner, "");
    this.queue.drop(({ key }) => key?.startsWith(prefix) ?? false);
  }

  /** Prevent the replies to requests in flight from being used for later requests: the kernel's state has changed. */
  invalidateInFlight(): void {
    this.queue.invalidateInFlight();
  }

  /** Send a message that has no reply. */
  tell(kind: string, fields: Message = {}): void {
    if (this.available) this.model.send({ kind, client: this.id, ...fields });
  }

  /** Notify the kernel that no view is open, so that it can release the widget. The next `hello` revokes this. */
  sendGoodbye(): void {
    this.tell("goodbye");
  }

  close(): void {
    this.model.off("msg:custom", this.receive);
    this.model.off("comm_live_update", this.disconnect);
    this.listeners.clear();
    this.lost.close();
    this.queue.close();
  }

  private readonly receive = (message: Message | null, buffers: DataView[] | null): void => {
    this.lost.messageReceived();
    if (message?.event) this.notify((listener) => listener.event?.(message as unknown as ServiceEvent));
    else if (message?.client === this.id) this.queue.receive(message, buffers ?? []);
  };

  /** Called when ipywidgets changes `comm_live`. It is set once before the client is created; any later change is a disconnection. */
  private readonly disconnect = (): void => this.queue.disconnect(RESTARTED);

  private defaults(policy: Policy, { lane = "urgent", priority = 0, timeout, attempts }: RequestOptions) {
    const once = policy === "once" || lane === "work";
    const limits = { timeout: timeout ?? TIMEOUT, attempts: attempts ?? (once ? ONCE_ATTEMPTS : ATTEMPTS), resend: !once };
    return { lane, priority, ...limits };
  }

  private scopedKey(owner: object | undefined, key: string): string {
    if (!owner) return key;
    const id = this.owners.get(owner) ?? ++this.ownerCount;
    this.owners.set(owner, id);
    return `${id}:${key}`;
  }

  private pacerFor(key: string): Pacer {
    const pacer = this.pacers.get(key) ?? new Pacer();
    this.pacers.set(key, pacer);
    return pacer;
  }

  private notify(callback: (listener: ClientListener) => void): void {
    for (const listener of [...this.listeners]) callback(listener);
  }
}
