const MAX_STEADY_INTERVAL = 40; // ms

/**
 * Delays requests that are made at a steady rate, such as those of a dragged patch.
 *
 * If the next request is expected within less time than the age of the pending request, the pending request is delayed: the reply rate
 * stays nearly the same, and the replies are for more recent positions.
 */
export class Pacer {
  private last = -Infinity;
  private interval = Infinity;
  private holdUntil = -Infinity;

  /** Record a request. Times are in ms. */
  recordRequest(now: number): void {
    this.interval = now - this.last;
    this.last = now;
    this.holdUntil = -Infinity;
  }

  /** Record the reply to the previous request. */
  recordReply(now: number): void {
    const age = now - this.last;
    const due = this.interval - age;
    // Allow for jitter: a quarter of the interval.
    if (this.interval <= MAX_STEADY_INTERVAL && due < age) this.holdUntil = now + Math.max(0, due + this.interval / 4);
  }

  /** Return the delay before the newest request is sent. */
  delay(now: number): number {
    return Math.max(0, this.holdUntil - now);
  }
}
