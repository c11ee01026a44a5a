import { RequestQueue, SILENCE } from "./queue.js";

/**
 * What a view asks of the kernel, each question a promise: of those with one key the newest counts.
 *
 * @typedef {{content: any, buffers: DataView[]}} WireAnswer
 * @typedef {{key: string, resolve: (answer: WireAnswer | null) => void, reject: (error: Error) => void}} Ticket
 */
// Sent twice it would be done twice, or cost twice; it may take a while.
export const SENT_ONCE = { timeout: 180000, attempts: 1 };
// Until the browser knows the kernel's subshell, its messages wait for the running cell; the next one need not.
export const GREETING = { timeout: 3000, attempts: 15 };

/** The kernel's refusal, in its words; `refused` where a rule does not lead down. */
export class Refusal extends Error {
  /** @param {string} words @param {boolean} [refused] */
  constructor(words, refused = false) {
    super(words);
    this.refused = refused;
  }
}

export class AskingWire {
  /**
   * @param {any} model anywidget's
   * @param {{kinds: string[], aside?: string[], patience: Record<string, {timeout: number, attempts: number}>}} manners
   *   the kinds of questions, most urgent first; those of them for which nobody waits; how long each is waited for
   * @param {{silence: (silent: boolean) => void, slow: (slow: boolean) => void, event: (message: any) => void}} listeners
   */
  constructor(model, { kinds, aside = [], patience }, listeners) {
    this.model = model;
    this.patience = patience;
    this.listeners = listeners;
    this.view = Math.random().toString(36).slice(2); // the kernel tells all views of a widget; each takes its own answers
    this.queue = new RequestQueue({
      send: ({ buffers, ...message }) => this.model.send({ ...message, view: this.view }, undefined, buffers),
      onSilence: (silent) => this.silence(silent),
      onSlow: (slow) => listeners.slow(slow),
      lanes: kinds,
      aside,
    });
    this.asked = 0;
    /** @type {Map<string, Ticket>} the newest of each key that is not answered yet */
    this.tickets = new Map();
    /** @type {(message: any, buffers: DataView[]) => void} */
    this.listen = (message, buffers) => {
      if (message?.event) listeners.event(message);
      else if (message?.view === this.view) this.queue.receive(message, buffers ?? []);
    };
    model.on("msg:custom", this.listen);
  }

  get silent() {
    return this.queue.silent;
  }

  close() {
    this.model.off("msg:custom", this.listen);
    this.queue.close();
    for (const ticket of this.tickets.values()) ticket.resolve(null);
    this.tickets.clear();
  }

  /**
   * Ask the kernel. Rejects in words; resolves to null where something newer was asked under the same key, or the view is gone.
   * @param {string} kind
   * @param {Record<string, any>} [fields]
   * @param {{key?: string, buffers?: ArrayBuffer[]}} [options] the key is the kind where it is left out
   * @returns {Promise<WireAnswer | null>}
   */
  ask(kind, fields = {}, { key = kind, buffers = [] } = {}) {
    return new Promise((resolve, reject) => {
      this.tickets.get(key)?.resolve(null);
      const ticket = { key, resolve, reject };
      this.tickets.set(key, ticket);
      const request = {
        key: `${(this.asked += 1)}`,
        ticket,
        message: { kind, ...fields, buffers },
        done: (/** @type {any} */ content, /** @type {DataView[]} */ views) => this.settle(ticket, () => resolve({ content, buffers: views })),
        failed: (/** @type {string} */ words, /** @type {any} */ answer) => this.settle(ticket, () => reject(new Refusal(words, answer?.refused === true))),
        ...this.patience[kind],
      };
      const waiting = /** @type {any[]} */ (this.queue.lanes.get(kind) ?? []).filter((one) => one.ticket.key !== key);
      this.queue.dormant = false; // whoever asks after a silence tries again
      this.queue.want(kind, [...waiting, request]);
    });
  }

  /** @param {Ticket} ticket @param {() => void} settle */
  settle(ticket, settle) {
    if (this.tickets.get(ticket.key) === ticket) this.tickets.delete(ticket.key);
    settle(); // nothing happens where it was settled before
  }

  /** @param {boolean} silent */
  silence(silent) {
    if (silent) {
      const tickets = [...this.tickets.values()];
      this.tickets.clear();
      for (const ticket of tickets) ticket.reject(new Error(SILENCE));
    }
    this.listeners.silence(silent);
  }
}
