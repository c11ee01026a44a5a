/** Detection of a kernel that no longer has the widget: it was restarted, perhaps by itself or from another page. */

/** The callbacks of a message that ipywidgets sends, with the part that is used. */
export interface Callbacks {
  iopub: { status(message: unknown): void };
}

interface Options {
  /** Sends a message that the kernel answers at once if it has the widget. */
  ping: (callbacks: Callbacks) => void;
  /** Whether a request still waits for its reply. */
  isAwaited: (seq: number) => boolean;
  /** Called when the kernel has handled a ping without an answer. */
  lost: () => void;
}

const QUIET = 2000; // ms without a message, after which a user action causes a ping

/**
 * A kernel reports "idle" when it has handled a message, also one for a widget that it does not have. A request may be answered later, by
 * another thread, but a ping is answered before. So if there is no answer to a request, a ping decides.
 *
 * Only status messages of the kernel itself count: Colab's widget manager reports "idle" as soon as a message is sent.
 */
export class LostWidgetDetector {
  private lastMessage: number;
  private pinging = false;
  private closed = false;

  constructor(
    private readonly options: Options,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.lastMessage = clock();
  }

  /** Return the callbacks for the message of a request. */
  callbacks(seq: number): Callbacks {
    return onIdle(() => {
      if (this.options.isAwaited(seq)) this.ping();
    });
  }

  /** Call with each message of the kernel. */
  messageReceived(): void {
    this.lastMessage = this.clock();
    this.pinging = false;
  }

  /** Ping the kernel, unless it has sent a message a moment ago. */
  check(): void {
    if (this.clock() - this.lastMessage > QUIET) this.ping();
  }

  close(): void {
    this.closed = true;
  }

  private ping(): void {
    if (this.pinging || this.closed) return;
    this.pinging = true;
    const callbacks = onIdle(() => {
      if (!this.pinging || this.closed) return;
      this.pinging = false;
      this.options.lost();
    });
    try {
      this.options.ping(callbacks);
    } catch (error) {
      this.pinging = false;
      console.debug("The ping could not be sent:", error); // the next request fails in the same way, and says so
    }
  }
}

/** Return callbacks that are also a function, because marimo calls them. */
function onIdle(callback: () => void): Callbacks {
  const status = (message: unknown) => {
    const { header, content } = message as { header?: { msg_type?: string }; content?: { execution_state?: string } };
    if (header?.msg_type === "status" && content?.execution_state === "idle") callback();
  };
  return Object.assign(() => {}, { iopub: { status } });
}
