import { RequestQueue, SILENCE } from "./queue.ts";
import type { WidgetModel } from "./model.ts";
import type { ServiceEvent } from "./wire.ts";
import type { Message, Request } from "./queue.ts";

/** An answer of the kernel: its JSON, and its arrays and pictures. */
export interface WireAnswer<Content = Message> {
  content: Content;
  buffers: DataView[];
}

/** A request that is not answered yet. `resolve` gives null: the answer counts no more. */
export interface Ticket {
  key: string;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** What a view asks of the kernel, each question a promise: of those with one key the newest counts. */
// Sent twice it would be done twice, or cost twice; it may take a while.
export const SENT_ONCE = { timeout: 180000, attempts: 1 };
// Until the browser knows the kernel's subshell, its messages wait for the running cell; the next one need not.
export const GREETING = { timeout: 3000, attempts: 15 };

/** The kernel's refusal, in its words; `refused` where a rule does not lead down. */
export class Refusal extends Error {
  refused: boolean;

  constructor(words: string, refused: boolean = false) {
    super(words);
    this.refused = refused;
  }
}

export class AskingWire {
  model: WidgetModel;
  patience: Record<string, { timeout: number; attempts: number }>;
  listeners: { silence: (silent: boolean) => void; slow: (slow: boolean) => void; event: (message: ServiceEvent) => void };
  view: string;
  queue: RequestQueue;
  asked: number;
  /** the newest of each key that is not answered yet */
  tickets: Map<string, Ticket>;
  listen: (message: Message, buffers: DataView[]) => void;

  /**
   * @param model anywidget's
   * @param manners the kinds of questions, most urgent first; those of them for which nobody waits; how long each is waited for
   */
  constructor(
    model: WidgetModel,
    { kinds, aside = [], patience }: { kinds: string[]; aside?: string[]; patience: Record<string, { timeout: number; attempts: number }> },
    listeners: { silence: (silent: boolean) => void; slow: (slow: boolean) => void; event: (message: ServiceEvent) => void },
  ) {
    this.model = model;
    this.patience = patience;
    this.listeners = listeners;
    this.view = Math.random().toString(36).slice(2); // the kernel tells all views of a widget; each takes its own answers
    this.queue = new RequestQueue({
      send: ({ buffers, ...message }) => this.model.send({ ...message, view: this.view }, undefined, buffers as ArrayBuffer[]),
      onSilence: (silent) => this.silence(silent),
      onSlow: (slow) => listeners.slow(slow),
      lanes: kinds,
      aside,
    });
    this.asked = 0;
    this.tickets = new Map();
    this.listen = (message, buffers): void => {
      if (message?.event) listeners.event(message as unknown as ServiceEvent);
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
    for (const ticket of this.tickets.values()) ticket.resolve();
    this.tickets.clear();
  }

  /**
   * Ask the kernel. Rejects in words; resolves to null where something newer was asked under the same key, or the view is gone.
   * @param options the key is the kind where it is left out
   */
  ask<Content = Message>(
    kind: string,
    fields: Record<string, unknown> = {},
    { key = kind, buffers = [] }: { key?: string; buffers?: ArrayBuffer[] } = {},
  ): Promise<WireAnswer<Content> | null> {
    return new Promise((resolve, reject) => {
      this.tickets.get(key)?.resolve();
      const ticket: Ticket = { key, resolve: () => resolve(null), reject };
      this.tickets.set(key, ticket);
      const request: Request = {
        key: `${(this.asked += 1)}`,
        owner: key,
        message: { kind, ...fields, buffers },
        done: (content: Message, views: DataView[]) => this.settle(ticket, () => resolve({ content: content as Content, buffers: views })),
        failed: (words: string, answer?: Message) => this.settle(ticket, () => reject(new Refusal(words, answer?.refused === true))),
        ...this.patience[kind],
      };
      const waiting = (this.queue.lanes.get(kind) ?? []).filter((one) => one.owner !== key);
      this.queue.dormant = false; // whoever asks after a silence tries again
      this.queue.want(kind, [...waiting, request]);
    });
  }

  settle(ticket: Ticket, settle: () => void) {
    if (this.tickets.get(ticket.key) === ticket) this.tickets.delete(ticket.key);
    settle(); // nothing happens where it was settled before
  }

  silence(silent: boolean) {
    if (silent) {
      const tickets = [...this.tickets.values()];
      this.tickets.clear();
      for (const ticket of tickets) ticket.reject(new Error(SILENCE));
    }
    this.listeners.silence(silent);
  }
}
