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

/**
 * Questions of one kind that come faster than their answers: one flies, the newest waits, those between are never asked, nor one that
 * flies already. Every answer is drawn, the kernel working on the next meanwhile.
 * @template Question
 */
export class NewestOnly {
  /**
   * @param {object} options
   * @param {(question: Question) => Promise<import("./asking_wire.js").WireAnswer | null>} options.ask
   * @param {(answer: import("./asking_wire.js").WireAnswer, question: Question) => void} options.draw
   * @param {(error: unknown) => void} options.failed
   * @param {(one: Question, other: Question) => boolean} [options.same] whether two ask for the same
   */
  constructor({ ask, draw, failed, same = () => false }) {
    this.ask = ask;
    this.draw = draw;
    this.failed = failed;
    this.same = same;
    /** @type {Question | null} */
    this.wanted = null;
    /** @type {Question | null} */
    this.asked = null; // while it flies
  }

  /** @param {Question} question */
  want(question) {
    this.wanted = this.asked !== null && this.same(this.asked, question) ? null : question;
    if (this.asked === null) void this.run();
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
    let flying = this.send();
    while (flying) {
      const { question, coming } = flying;
      /** @type {() => void} */
      let then = () => {};
      try {
        const answer = await coming;
        if (answer) then = () => this.draw(answer, question);
      } catch (error) {
        if (error instanceof Error && error.message === SILENCE) this.drop(); // the next action asks again
        then = () => this.failed(error);
      }
      flying = this.send();
      then();
    }
  }
}
