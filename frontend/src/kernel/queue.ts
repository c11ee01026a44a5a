/** JSON; what is in it is for those who know its kind to say. */
export type Message = Record<string, unknown>;

export interface Request {
  /** two requests with one key ask for the same thing */
  key: string;
  message: Message;
  /** what it is replaced by */
  owner?: string;
  /** nothing else is sent until its promise is kept */
  done: (answer: Message, buffers: DataView[]) => unknown;
  failed: (words: string, answer?: Message) => void;
  /** milliseconds before it is sent again */
  timeout?: number;
  /** how often it is sent in all */
  attempts?: number;
}

export interface Flight {
  request: Request;
  lane: string;
  way: "urgent" | "aside";
  /** one for each time it was sent: any of them may be answered */
  seqs: Set<number>;
  timer: ReturnType<typeof setTimeout> | undefined;
  answered: boolean;
}

/**
 * Flow control in the browser: one request in flight, the rest waits in lanes of falling urgency, and asking for a lane again
 * replaces what waited there. So a slow kernel never builds up a backlog, and the newest wish is the next to be sent.
 *
 * What nobody waits for flies aside: one request more, which the kernel works on in between. It is sent when nothing urgent is
 * under way, and nothing urgent waits for it.
 */

export const LANES = ["hello", "table", "nine", "unit", "pinned", "source", "figure", "pointed", "tiles"];
export const ASIDE = ["pointed", "tiles"];
export const TIMEOUT = 15000; // a kernel may have restarted
export const ATTEMPTS = 3;
const RUN_AGAIN = "run the notebook's cells again"; // those that made the service, too: it was the kernel's
export const SILENCE = `The kernel does not answer; ${RUN_AGAIN}.`;

export class RequestQueue {
  send: (message: Message) => void;
  onSilence: (silent: boolean) => void;
  onSlow: (slow: boolean) => void;
  timeout: number;
  attempts: number;
  lanes: Map<string, Request[]>;
  aside: Set<string>;
  /** one for each way */
  flights: Map<string, Flight>;
  seq: number;
  silent: boolean;
  dormant: boolean;
  closed: boolean;

  constructor({
    send,
    onSilence = () => {},
    onSlow = () => {},
    lanes = LANES,
    aside = ASIDE,
    timeout = TIMEOUT,
    attempts = ATTEMPTS,
  }: {
    send: (message: Message) => void;
    /** the kernel stopped answering, or answers again */
    onSilence?: (silent: boolean) => void;
    /** a request had to be sent again, or is answered after all */
    onSlow?: (slow: boolean) => void;
    lanes?: string[];
    /** those of them for which nobody waits */
    aside?: string[];
    timeout?: number;
    attempts?: number;
  }) {
    this.send = send;
    this.onSilence = onSilence;
    this.onSlow = onSlow;
    this.timeout = timeout;
    this.attempts = attempts;
    this.lanes = new Map(lanes.map((lane) => [lane, []]));
    this.aside = new Set(aside);
    this.flights = new Map();
    this.seq = 0;
    this.silent = false;
    this.dormant = false; // after a silence, until the user does something or the kernel says something
    this.closed = false;
  }

  /** How many requests wait or fly. */
  get pending() {
    let waiting = this.flights.size;
    for (const requests of this.lanes.values()) waiting += requests.length;
    return waiting;
  }

  /**
   * Replace what waits in a lane.
   * @param requests most urgent first
   */
  want(lane: string, requests: Request[]) {
    if (!this.lanes.has(lane)) throw new Error(`no lane ${lane}`);
    const flying = new Set([...this.flights.values()].filter((flight) => flight.lane === lane).map((flight) => flight.request.key));
    this.lanes.set(
      lane,
      requests.filter((request) => !flying.has(request.key)),
    );
    this.pump();
  }

  /** Forget all that waits; what flies is still answered. */
  clear() {
    for (const lane of this.lanes.keys()) this.lanes.set(lane, []);
  }

  close() {
    this.closed = true;
    this.clear();
    for (const { timer } of this.flights.values()) clearTimeout(timer);
    this.flights.clear();
  }

  /** Send the most urgent request, if none is in flight; where there is nothing urgent, one aside. */
  pump() {
    for (const [lane, requests] of this.lanes) {
      if (this.closed || this.dormant || this.flights.has("urgent")) return;
      const way = this.aside.has(lane) ? "aside" : "urgent";
      if (this.flights.has(way)) continue;
      const request = requests.shift();
      if (!request) continue;
      const flight: Flight = { request, lane, way, seqs: new Set(), timer: undefined, answered: false };
      this.flights.set(way, flight);
      this.launch(flight);
    }
  }

  launch(flight: Flight) {
    const seq = ++this.seq;
    flight.seqs.add(seq);
    flight.timer = setTimeout(() => this.overdue(flight), flight.request.timeout ?? this.timeout);
    try {
      this.send({ ...flight.request.message, ...(flight.way === "aside" ? { later: true } : {}), seq });
    } catch (error) {
      this.settle(flight);
      flight.request.failed(`The kernel cannot be reached (${error instanceof Error ? error.message : error}); ${RUN_AGAIN}.`);
    }
  }

  /** Try again after a silence. */
  wake() {
    this.dormant = false;
    this.pump();
  }

  overdue(flight: Flight) {
    if (this.flights.get(flight.way) !== flight) return;
    if (flight.seqs.size < (flight.request.attempts ?? this.attempts)) {
      this.onSlow(true);
      this.launch(flight);
      return;
    }
    this.hush(true);
    // What waits is not sent on its own any more: each would take as long to fail.
    this.clear();
    this.dormant = true;
    this.settle(flight);
    flight.request.failed(SILENCE);
  }

  settle(flight: Flight) {
    clearTimeout(flight.timer);
    if (flight.seqs.size > 1) this.onSlow(false);
    if (this.flights.get(flight.way) === flight) this.flights.delete(flight.way);
  }

  /** It is over: the next one. */
  land(flight: Flight) {
    this.settle(flight);
    this.pump();
  }

  hush(silent: boolean) {
    if (this.silent === silent) return;
    this.silent = silent;
    this.onSilence(silent);
  }

  /** Take an answer. False where it belongs to no request in flight: a late or second one. */
  receive(message: Message, buffers: DataView[]) {
    if (this.closed) return false;
    this.dormant = false;
    this.hush(false);
    const flight = [...this.flights.values()].find(({ seqs, answered }) => !answered && seqs.has(message.seq as number));
    if (!flight) {
      this.pump();
      return false;
    }
    clearTimeout(flight.timer);
    flight.answered = true;
    let drawing: unknown = null;
    try {
      if (message.ok) drawing = flight.request.done(message, buffers);
      else flight.request.failed((message.error as string) || "The kernel gave no reason.", message);
    } finally {
      if (drawing instanceof Promise) drawing.finally(() => this.land(flight));
      else this.land(flight);
    }
    return true;
  }
}
