import type { WidgetModel } from "../kernel/model.ts";
import type { Message } from "../kernel/queue.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import type { LayerState, Overview, TableReply, UnitDetail } from "./wire.ts";
import { blob } from "../kernel/buffers.ts";
import { nextFrameShown } from "../ui/dom.ts";
import { Pictures, mosaicKey } from "../kernel/bitmap_cache.ts";
import { RequestQueue, SILENCE } from "../kernel/queue.ts";
import { readTable } from "./unit_table.ts";
import type { Table } from "./unit_table.ts";
import type { Request } from "../kernel/queue.ts";

export type NineWanted = { layer: string; unit: number; rule: string; contrast: string; tile: number };

export type Part = "projections" | "patches";

export type SourceWanted = { layer: string; unit: number; rank: number; size: number };

export type SourceFound = { box: number[] | null; shown: number[] | null; caption: string; width: number; height: number };

/** What one view asks of the kernel, and what came of it. Pictures, tables and facts are kept until the service changes. */
export const PARTS: Part[] = ["projections", "patches"];

export class Wire {
  model: WidgetModel;
  listeners: { changed: () => void; silence: (silent: boolean) => void; slow: (slow: boolean) => void; event: (message: ServiceEvent) => void };
  view: string;
  pictures: Pictures;
  queue: RequestQueue;
  epoch: number;
  tables: Map<string, Table>;
  units: Map<string, UnitDetail>;
  sources: Map<string, SourceFound>;
  /** what failed, and why: not asked again until something changes */
  failures: Map<string, string>;
  /** layer and rule: why the rule does not lead down from there; so for all of the layer's units */
  refusals: Map<string, string>;
  listen: (message: Message, buffers: DataView[]) => void;

  /** @param model anywidget's */
  constructor(
    model: WidgetModel,
    listeners: { changed: () => void; silence: (silent: boolean) => void; slow: (slow: boolean) => void; event: (message: ServiceEvent) => void },
  ) {
    this.model = model;
    this.listeners = listeners;
    this.view = Math.random().toString(36).slice(2); // the kernel tells all views of a widget; each takes its own answers
    this.pictures = new Pictures();
    this.queue = new RequestQueue({
      send: (message) => this.model.send({ ...message, view: this.view }),
      onSilence: (silent) => listeners.silence(silent),
      onSlow: (slow) => listeners.slow(slow),
    });
    this.epoch = 0;
    this.tables = new Map();
    this.units = new Map();
    this.sources = new Map();
    this.failures = new Map();
    this.refusals = new Map();
    this.listen = (message, buffers): void => {
      if (message?.event) listeners.event(message as unknown as ServiceEvent);
      else if (message?.view === this.view) this.queue.receive(message, buffers ?? []);
    };
    model.on("msg:custom", this.listen);
  }

  close() {
    this.model.off("msg:custom", this.listen);
    this.queue.close();
    this.pictures.clear();
  }

  /** Forget everything: the service's state is another one. */
  forget() {
    this.epoch += 1;
    this.queue.clear();
    this.pictures.clear();
    for (const kept of [this.tables, this.units, this.sources, this.failures, this.refusals]) kept.clear();
  }

  /**
   * A request whose answer counts only if the service is still the same.
   * @param done what it gives, if a promise, holds back the next request
   */
  request(
    key: string,
    message: Message,
    done: (answer: Message, buffers: DataView[]) => unknown,
    { refused, ...more }: Partial<Request> & { refused?: (words: string) => void } = {},
  ): Request {
    const { epoch } = this;
    return {
      key: `${epoch} ${key}`,
      message,
      done: (answer, buffers) => {
        if (epoch !== this.epoch) return undefined;
        const drawing = done(answer, buffers);
        this.listeners.changed();
        return drawing;
      },
      failed: (words, answer) => {
        if (epoch !== this.epoch) return;
        if (answer?.refused && refused) refused(words);
        else if (words !== SILENCE) this.failures.set(key, words); // after a silence the next action tries again
        this.listeners.changed();
      },
      ...more,
    };
  }

  hello(done: (overview: Overview) => void, failed: (words: string) => void) {
    const request = { key: "hello", message: { kind: "hello" }, done: (answer: Message) => done(answer.overview as Overview), failed };
    // Until the browser knows the kernel's subshell, its messages wait for the running cell; the next one need not.
    this.queue.want("hello", [{ ...request, timeout: 3000, attempts: 15 }]);
  }

  table(layer: string) {
    const key = `table ${layer}`;
    if (this.tables.has(layer) || this.failures.has(key)) return;
    const done = (answer: Message, buffers: DataView[]) => this.tables.set(layer, readTable(answer as unknown as TableReply, buffers));
    this.queue.want("table", [this.request(key, { kind: "table", layer }, done)]);
  }

  /** What failures of it go by. */
  nineKey(what: NineWanted, part: Part = "projections") {
    return `nine ${mosaicKey(what, part)}`;
  }

  /** Why the rule does not lead down from that layer; undefined as long as it does. */
  refusal({ layer, rule }: { layer: string; rule: string }) {
    return this.refusals.get(`${layer}|${rule}`);
  }

  /** Those of the parts that are to be asked for. */
  missing(what: NineWanted, parts: Part[]) {
    return parts.filter((part) => {
      if (this.pictures.has(mosaicKey(what, part)) || this.failures.has(this.nineKey(what, part))) return false;
      return part === "patches" || !this.refusal(what);
    });
  }

  /**
   * Ask for nines; what is there is not asked for again.
   * @param wanted most urgent first
   */
  nines(lane: string, wanted: NineWanted[], parts: Part[], arrived: (what: NineWanted) => void) {
    const asked = wanted.map((what) => ({ what, missing: this.missing(what, parts) })).filter(({ missing }) => missing.length);
    const urgent = !this.queue.aside.has(lane);
    this.queue.want(
      lane,
      asked.map(({ what, missing }) => this.nineRequest(what, missing, arrived, urgent)),
    );
  }

  nineRequest(what: NineWanted, parts: Part[], arrived: (what: NineWanted) => void, urgent: boolean) {
    const key = this.nineKey(what, parts[0]);
    const done = (answer: any, buffers: DataView[]) => {
      const decoding = parts.map((part, at) => this.pictures.decode(mosaicKey(what, part), buffers[at], answer.pictures[at].mime));
      const drawn = this.whenDecoded(key, decoding, () => arrived(what));
      return urgent ? drawn.then(nextFrameShown) : undefined; // drawing first: what is asked next would have the browser busy
    };
    const refused = (words: string) => this.refusals.set(`${what.layer}|${what.rule}`, words);
    return this.request(key, { kind: "nine", ...what, parts }, done, { refused });
  }

  whenDecoded(key: string, decoding: Promise<ImageBitmap | null>[], then: () => void) {
    const { epoch } = this;
    return Promise.all(decoding).then(
      () => epoch === this.epoch && then(),
      (error) => {
        this.failures.set(key, `The picture cannot be decoded: ${error.message}`);
        this.listeners.changed();
      },
    );
  }

  /** A unit's facts, where they are there; asked for where they are not. */
  unit(layer: string, unit: number) {
    const key = `unit ${layer} ${unit}`;
    const found = this.units.get(key);
    if (!found && !this.failures.has(key)) {
      const done = (answer: Message) => this.units.set(key, answer.detail as UnitDetail);
      this.queue.want("unit", [this.request(key, { kind: "unit", layer, unit }, done)]);
    }
    return { detail: found, failure: this.failures.get(key) };
  }

  /** A source photograph, likewise. */
  source(what: SourceWanted, arrived: () => void) {
    const key = `source ${what.layer} ${what.unit} ${what.rank} ${what.size}`;
    const found = this.sources.get(key);
    const bitmap = this.pictures.get(key);
    if (!(found && this.pictures.has(key)) && !this.failures.has(key)) {
      const done = (answer: any, buffers: DataView[]) => {
        const { width, height, mime } = answer.pictures[0];
        this.sources.set(key, { box: answer.box, shown: answer.shown, caption: answer.caption, width, height });
        this.whenDecoded(key, [this.pictures.decode(key, buffers[0], mime)], arrived);
      };
      this.queue.want("source", [this.request(key, { kind: "source", ...what }, done)]);
    }
    return { found, bitmap, failure: this.failures.get(key) };
  }

  figure(figure: string, state: LayerState, done: (file: Blob) => void, failed: (words: string) => void) {
    const deliver = (answer: Message, buffers: DataView[]) => {
      done(blob(buffers[0], answer.mime as string));
    };
    const message = { kind: "figure", figure, state };
    // A page of 64 units takes a while; asking twice would only draw it twice.
    this.queue.want("figure", [{ key: `figure ${figure}`, message, done: deliver, failed, timeout: 180000, attempts: 1 }]);
  }

  /** Try again what failed. */
  retry() {
    this.failures.clear();
    this.queue.wake();
  }
}
