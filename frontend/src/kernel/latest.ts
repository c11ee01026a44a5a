import { AskingWire, GREETING, SENT_ONCE } from "./asking_wire.js";
import { SILENCE } from "./queue.js";

// A map's news is short and rare; the patch under the mouse comes right after it, and before all that may wait.
const OCCLUSION_KINDS = ["hello", "stop", "scene", "grid", "patch", "maps", "head", "upload", "chart", "images", "projections", "file"];
const OCCLUSION_ASIDE = ["images", "projections", "file"];
const OCCLUSION_PATIENCE = {
  hello: GREETING,
  projections: { timeout: 60000, attempts: 1 },
  ...Object.fromEntries(["head", "upload", "file"].map((kind) => [kind, SENT_ONCE])),
};

/** What a view of an OcclusionExplorer asks of the kernel. */
export class OcclusionWire extends AskingWire {
  /** @param {any} model anywidget's @param {ConstructorParameters<typeof AskingWire>[2]} listeners */
  constructor(model, listeners) {
    super(model, { kinds: OCCLUSION_KINDS, aside: OCCLUSION_ASIDE, patience: OCCLUSION_PATIENCE }, listeners);
  }
}

const STEADY = 40; // ms: questions further apart have no rhythm

/**
 * Questions of one kind that come faster than their answers: one flies, the newest waits, those between are never asked, nor one that
 * flies already. Every answer is drawn, the kernel working on the next meanwhile.
 *
 * Where the next question is nearer than the one that waits is old, it is awaited: the answers come hardly less often, and what is shown
 * is of a more recent place.
 * @template Question
 */
export class NewestOnly {
  /**
   * @param {object} options
   * @param {(question: Question) => Promise<import("./asking_wire.js").WireAnswer | null>} options.ask
   * @param {(answer: import("./asking_wire.js").WireAnswer, question: Question) => void} options.draw
   * @param {(error: unknown) => void} options.failed
   * @param {(one: Question, other: Question) => boolean} [options.same] whether two ask for the same
   * @param {() => number} [options.clock] in ms
   */
  constructor({ ask, draw, failed, same = () => false, clock = () => performance.now() }) {
    this.ask = ask;
    this.draw = draw;
    this.failed = failed;
    this.same = same;
    this.clock = clock;
    /** @type {Question | null} */
    this.wanted = null;
    /** @type {Question | null} */
    this.asked = null; // while it flies
    this.running = false;
    this.came = -Infinity; // the newest question
    this.rhythm = Infinity; // how long after the one before
    /** @type {(() => void) | null} */
    this.hurry = null; // ends the wait for a fresher question
  }

  /** @param {Question} question */
  want(question) {
    if (this.asked !== null && this.same(this.asked, question)) return this.drop();
    if (this.wanted === null || !this.same(this.wanted, question)) {
      [this.rhythm, this.came] = [this.clock() - this.came, this.clock()];
      this.hurry?.();
    }
    this.wanted = question;
    if (!this.running) void this.run();
  }

  /** What waits is no longer wanted. */
  drop() {
    this.wanted = null;
  }

  send() {
    const question = (this.asked = this.wanted);
    if (question === null) return null;
    this.wanted = null;
    return { question, coming: this.ask(question) };
  }

  async run() {
    this.running = true;
    try {
      for (let flying = this.send(); flying; ) {
        const then = await this.answered(flying);
        this.asked = null;
        const wait = this.untilFresher();
        if (wait === 0) flying = this.send();
        then();
        if (wait > 0) {
          await this.pause(wait);
          flying = this.send();
        }
      }
    } finally {
      this.running = false;
    }
  }

  /** What is to be done with the answer. @param {{question: Question, coming: Promise<import("./asking_wire.js").WireAnswer | null>}} flying */
  async answered({ question, coming }) {
    try {
      const answer = await coming;
      return () => answer && this.draw(answer, question);
    } catch (error) {
      if (error instanceof Error && error.message === SILENCE) this.drop(); // the next action asks again
      return () => this.failed(error);
    }
  }

  /** How long the next question may be awaited, in ms; 0 where what waits is to be asked now. */
  untilFresher() {
    if (this.wanted === null || this.rhythm > STEADY) return 0;
    const age = this.clock() - this.came;
    const due = this.rhythm - age;
    return due < age ? Math.max(0, due + this.rhythm / 4) : 0; // a hand is not that even
  }

  /** @param {number} wait in ms, if nothing new comes */
  pause(wait) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.hurry = null;
        resolve(null);
      };
      const timer = setTimeout(end, wait);
      this.hurry = end;
    });
  }
}
