/**
 * The queue of requests to the kernel: order, time-outs, resending, and whether the kernel responds. At most one request each of the urgent
 * and the background lane is in flight.
 */
import { KernelError, KernelUnavailable, UNAVAILABLE } from "./errors.ts";
import type { Pacer } from "./pace.ts";

/** A JSON message to or from the kernel. */
export type Message = Record<string, unknown>;

/** A reply of the kernel: JSON, and buffers with arrays and images. */
export interface Reply<Content = Message> {
  content: Content;
  buffers: DataView[];
}

export type Lane = "urgent" | "background" | "work";

export interface QueuedRequest {
  message: Message;
  buffers: ArrayBuffer[];
  lane: Lane;
  /** Lower numbers are sent first, equal ones in order of creation. */
  priority: number;
  /** Pending requests with the same key supersede each other. Null: never superseded. */
  key: string | null;
  /** If a request in flight has the same key and content, its reply is used for both. */
  content: string;
  /** In ms. */
  timeout: number;
  /** The number of time-outs after which the request fails. */
  attempts: number;
  /** Whether to send the request again after a time-out. */
  resend: boolean;
  pacer: Pacer | null;
  /** Called with the reply. If it returns a promise, the lane is blocked until the promise is settled. */
  receive: ((reply: Reply) => unknown) | null;
  /** Called before the request is sent; false drops it. */
  beforeSend: () => boolean;
  resolve: (reply: Reply | null) => void;
  reject: (error: Error) => void;
}

interface InFlightRequest {
  request: QueuedRequest;
  /** Later requests with the same key and content. */
  duplicates: QueuedRequest[];
  /** One number per transmission; the reply may have any of them. */
  seqs: Set<number>;
  timer: ReturnType<typeof setTimeout> | undefined;
  timeouts: number;
  /** False in the work lane, and once the kernel has accepted the request as work. */
  occupiesLane: boolean;
  accepted: boolean;
  overdue: boolean;
  /** Whether its reply may be used for later equal requests. */
  reusable: boolean;
  answered: boolean;
}

export interface QueueListener {
  /** Called with false when the kernel stops replying, with true when it replies again. */
  available: (available: boolean) => void;
  /** Called with true when a reply is overdue, with false when it arrives. */
  slow: (slow: boolean) => void;
}

export class RequestQueue {
  available = true;
  /** Why the kernel is not available. */
  reason = "";
  private seq = 0;
  private pendingRequests: QueuedRequest[] = [];
  private inFlight: InFlightRequest[] = [];
  private pauseTimer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  /**
   * @param send sends a message to the kernel; it may throw if the kernel is disconnected
   * @param clock returns the time in ms
   */
  constructor(
    private readonly send: (message: Message, buffers: ArrayBuffer[]) => void,
    private readonly listener: QueueListener,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** The number of requests that are pending or in flight. */
  get pending(): number {
    return this.pendingRequests.length + this.inFlight.length;
  }

  add(request: QueuedRequest): void {
    this.replace(request.key, [request]);
  }

  /** Add requests. They supersede the pending requests with the key. */
  replace(key: string | null, requests: QueuedRequest[]): void {
    if (key !== null) this.drop((request) => request.key === key);
    for (const request of requests) {
      const isEqual = ({ key, content }: QueuedRequest) => key !== null && key === request.key && content === request.content;
      const flight = this.inFlight.find((flight) => flight.reusable && !flight.answered && isEqual(flight.request));
      if (flight) flight.duplicates.push(request);
      else {
        request.pacer?.recordRequest(this.clock());
        this.insert(request);
      }
    }
    this.sendPending();
  }

  /** Drop pending requests; their promises resolve to null. */
  drop(which: (request: QueuedRequest) => boolean): void {
    const dropped = this.pendingRequests.filter(which);
    this.pendingRequests = this.pendingRequests.filter((request) => !dropped.includes(request));
    for (const request of dropped) request.resolve(null);
  }

  /** Prevent the replies to requests in flight from being used for later requests. */
  invalidateInFlight(): void {
    for (const flight of this.inFlight) flight.reusable = false;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.pauseTimer);
    for (const flight of this.inFlight) clearTimeout(flight.timer);
    const requests = [...this.pendingRequests, ...this.inFlight.flatMap(({ request, duplicates }) => [request, ...duplicates])];
    this.pendingRequests = [];
    this.inFlight = [];
    for (const request of requests) request.resolve(null);
  }

  /** Return whether a request waits for its reply, which is neither accepted nor answered. */
  isAwaited(seq: number): boolean {
    return this.inFlight.some(({ seqs, accepted, answered }) => seqs.has(seq) && !accepted && !answered);
  }

  /** Fail all requests: the kernel is disconnected, or no longer has the widget. */
  disconnect(reason: string): void {
    this.fail(this.inFlight, reason);
  }

  /** Handle a message of the kernel: a reply, or the acceptance of work. Messages for requests that are not in flight are ignored. */
  receive(message: Message, buffers: DataView[]): void {
    if (this.closed) return;
    this.setAvailable(true);
    const flight = this.inFlight.find(({ seqs, answered }) => !answered && seqs.has(Number(message.seq)));
    if (flight && message.accepted) {
      clearTimeout(flight.timer);
      flight.accepted = true;
      flight.occupiesLane = false;
    } else if (flight) this.answer(flight, message, buffers);
    this.sendPending();
  }

  private insert(request: QueuedRequest): void {
    const index = this.pendingRequests.findIndex(({ priority }) => priority > request.priority);
    this.pendingRequests.splice(index < 0 ? this.pendingRequests.length : index, 0, request);
  }

  private isBusy(lane: Lane): boolean {
    return this.inFlight.some((flight) => flight.occupiesLane && flight.request.lane === lane);
  }

  private isWorkRunning(key: string | null): boolean {
    return key !== null && this.inFlight.some(({ request }) => request.lane === "work" && request.key === key);
  }

  /** Send the pending requests whose lanes are free. */
  private sendPending(): void {
    clearTimeout(this.pauseTimer);
    for (const request of [...this.pendingRequests]) {
      const { lane } = request;
      if (!this.pendingRequests.includes(request)) continue; // sending an earlier request failed
      if (lane === "work" ? this.isWorkRunning(request.key) : this.isBusy("urgent") || this.isBusy(lane)) continue;
      const pause = request.pacer?.delay(this.clock()) ?? 0;
      if (pause > 0) {
        this.pauseTimer = setTimeout(() => this.sendPending(), pause);
        continue;
      }
      this.pendingRequests = this.pendingRequests.filter((other) => other !== request);
      if (request.beforeSend()) this.start(request);
      else request.resolve(null);
    }
  }

  private start(request: QueuedRequest): void {
    const occupiesLane = request.lane !== "work";
    const state = { timeouts: 0, occupiesLane, accepted: false, overdue: false, reusable: true, answered: false };
    const flight: InFlightRequest = { request, duplicates: [], seqs: new Set(), timer: undefined, ...state };
    this.inFlight.push(flight);
    this.transmit(flight);
  }

  private transmit(flight: InFlightRequest): void {
    const { message, buffers, lane, timeout } = flight.request;
    this.seq += 1;
    flight.seqs.add(this.seq);
    flight.timer = setTimeout(() => this.onTimeout(flight), timeout);
    try {
      this.send({ ...message, ...(lane === "background" ? { background: true } : {}), seq: this.seq }, buffers);
    } catch (error) {
      console.debug("The message could not be sent:", error);
      this.disconnect(UNAVAILABLE);
    }
  }

  private onTimeout(flight: InFlightRequest): void {
    const { attempts, resend, timeout } = flight.request;
    // A kernel without a worker runs requested work first, and replies to other requests after it.
    const workRunning = this.inFlight.some((other) => other !== flight && other.request.lane === "work" && !other.accepted);
    if (!workRunning) flight.timeouts += 1;
    if (flight.timeouts >= attempts) {
      this.fail(flight.occupiesLane ? this.inFlight.filter((other) => other.occupiesLane) : [flight], UNAVAILABLE);
      return;
    }
    flight.overdue = true;
    this.listener.slow(true);
    if (resend && !workRunning) this.transmit(flight);
    else flight.timer = setTimeout(() => this.onTimeout(flight), timeout);
  }

  /** Fail all pending requests, and those of the given flights. */
  private fail(flights: InFlightRequest[], reason: string): void {
    const requests = [
      ...this.pendingRequests,
      ...flights.filter((flight) => !flight.answered).flatMap(({ request, duplicates }) => [request, ...duplicates]),
    ];
    this.pendingRequests = [];
    for (const flight of flights) this.remove(flight);
    if (this.available) this.reason = reason; // else the first reason is the true one
    this.setAvailable(false);
    for (const request of requests) request.reject(new KernelUnavailable(this.reason));
  }

  private answer(flight: InFlightRequest, message: Message, buffers: DataView[]): void {
    clearTimeout(flight.timer);
    flight.answered = true;
    if (flight.overdue) this.listener.slow(false);
    const { request, duplicates } = flight;
    request.pacer?.recordReply(this.clock());
    const requests = [request, ...duplicates];
    if (!message.ok) {
      this.remove(flight);
      const error = new KernelError(String(message.error || "The kernel gave no reason."), message.refused === true);
      for (const { reject } of requests) reject(error);
      return;
    }
    const reply = { content: message, buffers };
    const rendering = requests.map(({ receive }) => receive?.(reply)).filter((result) => result instanceof Promise);
    if (rendering.length)
      void Promise.allSettled(rendering).then(() => {
        this.remove(flight);
        this.sendPending();
      });
    else this.remove(flight);
    for (const { resolve } of requests) resolve(reply);
  }

  private remove(flight: InFlightRequest): void {
    clearTimeout(flight.timer);
    this.inFlight = this.inFlight.filter((other) => other !== flight);
  }

  private setAvailable(available: boolean): void {
    if (this.available === available) return;
    this.available = available;
    this.listener.available(available);
  }
}
