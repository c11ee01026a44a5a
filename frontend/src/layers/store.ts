import { framePassed } from "./dom.js";
import { Pictures, mosaicKey } from "./pictures.js";
import { RequestQueue, SILENCE } from "./queue.js";
import { readTable } from "./units.js";

/**
 * What one view asks of the kernel, and what came of it. Pictures, tables and facts are kept until the service changes.
 *
 * @typedef {{layer: string, unit: number, rule: string, contrast: string, tile: number}} NineWanted
 * @typedef {"projections" | "patches"} Part
 * @typedef {{layer: string, unit: number, rank: number, size: number}} SourceWanted
 * @typedef {{box: number[] | null, shown: number[] | null, caption: string, width: number, height: number}} SourceFound
 */
export const PARTS = /** @type {Part[]} */ (["projections", "patches"]);

export class Wire {
  /**
   * @param {any} model anywidget's
   * @param {{changed: () => void, silence: (silent: boolean) => void, slow: (slow: boolean) => void, event: (message: any) => void}} listeners
   */
  constructor(model, listeners) {
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
    /** @type {Map<string, import("./units.js").Table>} */
    this.tables = new Map();
    /** @type {Map<string, any>} */
    this.units = new Map();
    /** @type {Map<string, SourceFound>} */
    this.sources = new Map();
    /** @type {Map<string, string>} what failed, and why: not asked again until something changes */
    this.failures = new Map();
    /** @type {Map<string, string>} layer and rule: why the rule does not lead down from there; so for all of the layer's units */
    this.refusals = new Map();
    /** @type {(message: any, buffers: DataView[]) => void} */
    this.listen = (message, buffers) => {
      if (message?.event) listeners.event(message);
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
   * @param {string} key
   * @param {Record<string, any>} message
   * @param {(answer: any, buffers: DataView[]) => unknown} done what it gives, if a promise, holds back the next request
   * @param {Partial<import("./queue.js").Request> & {refused?: (words: string) => void}} [more]
   * @returns {import("./queue.js").Request}
   */
  request(key, message, done, { refused, ...more } = {}) {
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

  /** @param {(overview: any) => void} done @param {(words: string) => void} failed */
  hello(done, failed) {
    const request = { key: "hello", message: { kind: "hello" }, done: (/** @type {any} */ answer) => done(answer.overview), failed };
    // Until the browser knows the kernel's subshell, its messages wait for the running cell; the next one need not.
    this.queue.want("hello", [{ ...request, timeout: 3000, attempts: 15 }]);
  }

  /** @param {string} layer */
  table(layer) {
    const key = `table ${layer}`;
    if (this.tables.has(layer) || this.failures.has(key)) return;
    const done = (/** @type {any} */ answer, /** @type {DataView[]} */ buffers) => this.tables.set(layer, readTable(answer, buffers));
    this.queue.want("table", [this.request(key, { kind: "table", layer }, done)]);
  }

  /** What failures of it go by. @param {NineWanted} what @param {Part} [part] */
  nineKey(what, part = "projections") {
    return `nine ${mosaicKey(what, part)}`;
  }

  /** Why the rule does not lead down from that layer; undefined as long as it does. @param {{layer: string, rule: string}} what */
  refusal({ layer, rule }) {
    return this.refusals.get(`${layer}|${rule}`);
  }

  /** Those of the parts that are to be asked for. @param {NineWanted} what @param {Part[]} parts */
  missing(what, parts) {
    return parts.filter((part) => {
      if (this.pictures.has(mosaicKey(what, part)) || this.failures.has(this.nineKey(what, part))) return false;
      return part === "patches" || !this.refusal(what);
    });
  }

  /**
   * Ask for nines; what is there is not asked for again.
   * @param {string} lane
   * @param {NineWanted[]} wanted most urgent first
   * @param {Part[]} parts
   * @param {(what: NineWanted) => void} arrived
   */
  nines(lane, wanted, parts, arrived) {
    const asked = wanted.map((what) => ({ what, missing: this.missing(what, parts) })).filter(({ missing }) => missing.length);
    const urgent = !this.queue.aside.has(lane);
    this.queue.want(lane, asked.map(({ what, missing }) => this.nineRequest(what, missing, arrived, urgent)));
  }

  /** @param {NineWanted} what @param {Part[]} parts @param {(what: NineWanted) => void} arrived @param {boolean} urgent */
  nineRequest(what, parts, arrived, urgent) {
    const key = this.nineKey(what, parts[0]);
    const done = (/** @type {any} */ answer, /** @type {DataView[]} */ buffers) => {
      const decoding = parts.map((part, at) => this.pictures.decode(mosaicKey(what, part), buffers[at], answer.pictures[at].mime));
      const drawn = this.whenDecoded(key, decoding, () => arrived(what));
      return urgent ? drawn.then(framePassed) : undefined; // drawing first: what is asked next would have the browser busy
    };
    const refused = (/** @type {string} */ words) => this.refusals.set(`${what.layer}|${what.rule}`, words);
    return this.request(key, { kind: "nine", ...what, parts }, done, { refused });
  }

  /** @param {string} key @param {Promise<ImageBitmap | null>[]} decoding @param {() => void} then */
  whenDecoded(key, decoding, then) {
    const { epoch } = this;
    return Promise.all(decoding).then(
      () => epoch === this.epoch && then(),
      (error) => {
        this.failures.set(key, `The picture cannot be decoded: ${error.message}`);
        this.listeners.changed();
      },
    );
  }

  /** A unit's facts, where they are there; asked for where they are not. @param {string} layer @param {number} unit */
  unit(layer, unit) {
    const key = `unit ${layer} ${unit}`;
    const found = this.units.get(key);
    if (!found && !this.failures.has(key)) {
      const done = (/** @type {any} */ answer) => this.units.set(key, answer.detail);
      this.queue.want("unit", [this.request(key, { kind: "unit", layer, unit }, done)]);
    }
    return { detail: found, failure: this.failures.get(key) };
  }

  /** A source photograph, likewise. @param {SourceWanted} what @param {() => void} arrived */
  source(what, arrived) {
    const key = `source ${what.layer} ${what.unit} ${what.rank} ${what.size}`;
    const found = this.sources.get(key);
    const bitmap = this.pictures.get(key);
    if (!(found && this.pictures.has(key)) && !this.failures.has(key)) {
      const done = (/** @type {any} */ answer, /** @type {DataView[]} */ buffers) => {
        const { width, height, mime } = answer.pictures[0];
        this.sources.set(key, { box: answer.box, shown: answer.shown, caption: answer.caption, width, height });
        this.whenDecoded(key, [this.pictures.decode(key, buffers[0], mime)], arrived);
      };
      this.queue.want("source", [this.request(key, { kind: "source", ...what }, done)]);
    }
    return { found, bitmap, failure: this.failures.get(key) };
  }

  /**
   * @param {string} figure
   * @param {any} state
   * @param {(file: Blob) => void} done
   * @param {(words: string) => void} failed
   */
  figure(figure, state, done, failed) {
    const deliver = (/** @type {any} */ answer, /** @type {DataView[]} */ buffers) => {
      done(new Blob([/** @type {BlobPart} */ (buffers[0])], { type: answer.mime }));
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
