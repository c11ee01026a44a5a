import { SILENCE } from "./queue.ts";
import type { WireAnswer } from "./client.ts";

const STEADY = 40; // ms: questions further apart have no rhythm

/**
 * Questions of one kind that come faster than their answers: one flies, the newest waits, those between are never asked, nor one that
 * flies already. Every answer is drawn, the kernel working on the next meanwhile.
 *
 * Where the next question is nearer than the one that waits is old, it is awaited: the answers come hardly less often, and what is shown
 * is of a more recent place.
 */
export class NewestOnly<Question> {
  ask: (question: Question) => Promise<WireAnswer | null>;
  draw: (answer: WireAnswer, question: Question) => void;
  failed: (error: unknown) => void;
  same: (one: Question, other: Question) => boolean;
  clock: () => number;
  wanted: Question | null;
  asked: Question | null;
  running: boolean;
  came: number;
  rhythm: number;
  hurry: (() => void) | null;

  constructor({
    ask,
    draw,
    failed,
    same = () => false,
    clock = () => performance.now(),
  }: {
    ask: (question: Question) => Promise<WireAnswer | null>;
    draw: (answer: WireAnswer, question: Question) => void;
    failed: (error: unknown) => void;
    /** whether two ask for the same */
    same?: (one: Question, other: Question) => boolean;
    /** in ms */
    clock?: () => number;
  }) {
    this.ask = ask;
    this.draw = draw;
    this.failed = failed;
    this.same = same;
    this.clock = clock;
    this.wanted = null;
    this.asked = null; // while it flies
    this.running = false;
    this.came = -Infinity; // the newest question
    this.rhythm = Infinity; // how long after the one before
    this.hurry = null; // ends the wait for a fresher question
  }

  want(question: Question) {
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

  /** What is to be done with the answer. */
  async answered({ question, coming }: { question: Question; coming: Promise<WireAnswer | null> }) {
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

  /** @param wait in ms, if nothing new comes */
  pause(wait: number) {
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
