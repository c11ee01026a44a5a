/** Which requests are sent when: at most one of the urgent lane and one of the background lane are in flight. */
import { KernelError, KernelUnavailable } from "./errors.ts";
import type { Pace } from "./pace.ts";

/** JSON, as it crosses. */
export type Message = Record<string, unknown>;

/** A reply of the kernel: its JSON, and its arrays and images. */
export interface Reply<Content = Message> {
  content: Content;
  buffers: DataView[];
}

export type Lane = "urgent" | "background" | "work";

export interface QueuedRequest {
  message: Message;
  buffers: ArrayBuffer[];
  lane: Lane;
  /** Lower goes first; of equal ones the older. */
  priority: number;
  /** Requests with one key supersede each other while they wait. Null: nothing supersedes it. */
  key: string | null;
  /** What it asks for: where the request in flight with the same key asks for the same, its reply serves both. */
  content: string;
  /** ms before its reply is overdue */
  timeout: number;
  /** After this many time-outs it is given up. */
  attempts: number;
  /** Whether it is sent again when its reply is overdue. */
  resend: boolean;
  pace: Pace | null;
  /** Called with the reply as it comes. Where it returns a promise, nothing else of its lane is sent until that has settled. */
  receive: ((reply: Reply) => unknown) | null;
  /** Called just before it is sent; false drops it. */
  beforeSend: () => boolean;
  resolve: (reply: Reply | null) => void;
  reject: (error: Error) => void;
}

interface Flight {
  request: QueuedRequest;
  /** Requests with the same key and content, which came later. */
  others: QueuedRequest[];
  /** One for each time it was sent: any of them may be answered. */
  seqs: Set<number>;
  timer: ReturnType<typeof setTimeout> | undefined;
  timeouts: number;
  /** Whether it keeps its lane: not after the kernel accepted it as work, nor in the work lane. */
  holdsLane: boolean;
  accepted: boolean;
  late: boolean;
  /** Whether its reply may serve later requests for the same, too. */
  shared: boolean;
  answered: boolean;
}

export interface QueueListener {
  /** The kernel stopped answering (false), or answers again. */
  available: (available: boolean) => void;
  /** A request had to be sent again (true), or is answered after all. */
  slow: (slow: boolean) => void;
}

export class RequestQueue {
  available = true;
  private seq = 0;
  private waiting: QueuedRequest[] = [];
  private flights: Flight[] = [];
  private pauseTimer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  /**
   * @param send puts a message on the wire; it may throw where the connection is gone
   * @param clock in ms
   */
  constructor(
    private readonly send: (message: Message, buffers: ArrayBuffer[]) => void,
    private readonly listener: QueueListener,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** The number of requests that wait or are in flight. */
  get pending(): number {
    return this.waiting.length + this.flights.length;
  }

  add(request: QueuedRequest): void {
    this.replace(request.key, [request]);
  }

  /** Add requests, and supersede those that wait under the key. */
  replace(key: string | null, requests: QueuedRequest[]): void {
    if (key !== null) this.drop((one) => one.key === key);
    for (const request of requests) {
      const same = ({ key, content }: QueuedRequest) => key !== null && key === request.key && content === request.content;
      const flight = this.flights.find((one) => one.shared && !one.answered && same(one.request));
      if (flight) flight.others.push(request);
      else {
        request.pace?.requested(this.clock());
        this.insert(request);
      }
    }
    this.pump();
  }

  /** Drop waiting requests; their promises resolve to null. */
  drop(which: (request: QueuedRequest) => boolean): void {
    const dropped = this.waiting.filter(which);
    this.waiting = this.waiting.filter((request) => !dropped.includes(request));
    for (const request of dropped) request.resolve(null);
  }

  /** The kernel's state changed: replies to requests in flight are outdated, and serve no later request. */
  outdate(): void {
    for (const flight of this.flights) flight.shared = false;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.pauseTimer);
    for (const flight of this.flights) clearTimeout(flight.timer);
    const requests = [...this.waiting, ...this.flights.flatMap(({ request, others }) => [request, ...others])];
    this.waiting = [];
    this.flights = [];
    for (const request of requests) request.resolve(null);
  }

  /** The connection is gone: everything that waits or is in flight fails. */
  disconnect(): void {
    this.fail(this.flights);
  }

  /** Take a message of the kernel: a reply, or its word that work was accepted. Those to no request in flight are late, or came twice. */
  receive(message: Message, buffers: DataView[]): void {
    if (this.closed) return;
    this.setAvailable(true);
    const flight = this.flights.find(({ seqs, answered }) => !answered && seqs.has(Number(message.seq)));
    if (flight && message.accepted) {
      clearTimeout(flight.timer);
      flight.accepted = true;
      flight.holdsLane = false;
    } else if (flight) this.answer(flight, message, buffers);
    this.pump();
  }

  private insert(request: QueuedRequest): void {
    const at = this.waiting.findIndex(({ priority }) => priority > request.priority);
    this.waiting.splice(at < 0 ? this.waiting.length : at, 0, request);
  }

  private isBusy(lane: Lane): boolean {
    return this.flights.some((flight) => flight.holdsLane && flight.request.lane === lane);
  }

  private isInWork(key: string | null): boolean {
    return key !== null && this.flights.some(({ request }) => request.lane === "work" && request.key === key);
  }

  /** Send what can be sent now. */
  private pump(): void {
    clearTimeout(this.pauseTimer);
    for (const request of [...this.waiting]) {
      const { lane } = request;
      if (!this.waiting.includes(request)) continue; // an earlier one found the connection gone
      if (lane === "work" ? this.isInWork(request.key) : this.isBusy("urgent") || this.isBusy(lane)) continue;
      const pause = request.pace?.delay(this.clock()) ?? 0;
      if (pause > 0) {
        this.pauseTimer = setTimeout(() => this.pump(), pause);
        continue;
      }
      this.waiting = this.waiting.filter((one) => one !== request);
      if (request.beforeSend()) this.launch(request);
      else request.resolve(null);
    }
  }

  private launch(request: QueuedRequest): void {
    const holdsLane = request.lane !== "work";
    const state = { timeouts: 0, holdsLane, accepted: false, late: false, shared: true, answered: false };
    const flight: Flight = { request, others: [], seqs: new Set(), timer: undefined, ...state };
    this.flights.push(flight);
    this.transmit(flight);
  }

  private transmit(flight: Flight): void {
    const { message, buffers, lane, timeout } = flight.request;
    this.seq += 1;
    flight.seqs.add(this.seq);
    flight.timer = setTimeout(() => this.expire(flight), timeout);
    try {
      this.send({ ...message, ...(lane === "background" ? { background: true } : {}), seq: this.seq }, buffers);
    } catch (error) {
      console.debug("The message could not be sent:", error);
      this.disconnect();
    }
  }

  private expire(flight: Flight): void {
    const { attempts, resend, timeout } = flight.request;
    // A kernel without a worker may be busy with work that was asked for, and answers the rest after it.
    const working = this.flights.some((one) => one !== flight && one.request.lane === "work" && !one.accepted);
    if (!working) flight.timeouts += 1;
    if (flight.timeouts >= attempts) {
      this.fail(flight.holdsLane ? this.flights.filter((one) => one.holdsLane) : [flight]);
      return;
    }
    flight.late = true;
    this.listener.slow(true);
    if (resend && !working) this.transmit(flight);
    else flight.timer = setTimeout(() => this.expire(flight), timeout);
  }

  /** Everything that waits fails, and so do these. */
  private fail(flights: Flight[]): void {
    const requests = [...this.waiting, ...flights.filter((one) => !one.answered).flatMap(({ request, others }) => [request, ...others])];
    this.waiting = [];
    for (const flight of flights) this.settle(flight);
    this.setAvailable(false);
    for (const request of requests) request.reject(new KernelUnavailable());
  }

  private answer(flight: Flight, message: Message, buffers: DataView[]): void {
    clearTimeout(flight.timer);
    flight.answered = true;
    if (flight.late) this.listener.slow(false);
    const { request, others } = flight;
    request.pace?.answered(this.clock());
    const requests = [request, ...others];
    if (!message.ok) {
      this.settle(flight);
      const error = new KernelError(String(message.error || "The kernel gave no reason."), message.refused === true);
      for (const one of requests) one.reject(error);
      return;
    }
    const reply = { content: message, buffers };
    const drawing = requests.map((one) => one.receive?.(reply)).filter((one) => one instanceof Promise);
    if (drawing.length)
      void Promise.allSettled(drawing).then(() => {
        this.settle(flight);
        this.pump();
      });
    else this.settle(flight);
    for (const one of requests) one.resolve(reply);
  }

  private settle(flight: Flight): void {
    clearTimeout(flight.timer);
    this.flights = this.flights.filter((one) => one !== flight);
  }

  private setAvailable(available: boolean): void {
    if (this.available === available) return;
    this.available = available;
    this.listener.available(available);
  }
}
