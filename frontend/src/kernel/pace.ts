const STEADY = 40; // ms; requests further apart have no rhythm

/**
 * When to send the newest of requests that come in a steady rhythm, such as those of a dragged patch.
 *
 * Where the next request is due sooner than the waiting one is old, it is worth waiting for: replies come hardly less often, and what is
 * shown is of a more recent position.
 */
export class Pace {
  private last = -Infinity;
  private interval = Infinity;
  private holdUntil = -Infinity;

  /** Record that a request came. Times are in ms. */
  requested(now: number): void {
    this.interval = now - this.last;
    this.last = now;
    this.holdUntil = -Infinity;
  }

  /** Record that the request before it was answered. */
  answered(now: number): void {
    const age = now - this.last;
    const due = this.interval - age;
    // A quarter of the interval more: no hand is that even.
    if (this.interval <= STEADY && due < age) this.holdUntil = now + Math.max(0, due + this.interval / 4);
  }

  /** Return how long to wait before the newest request is sent. */
  delay(now: number): number {
    return Math.max(0, this.holdUntil - now);
  }
}
