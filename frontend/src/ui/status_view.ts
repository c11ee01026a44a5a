import type { RequestOptions } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import type { AnyStore } from "../kernel/store.ts";
import { ExplorerView } from "./explorer_view.ts";

type StoreOfStatus = AnyStore & { refreshStatus(): Promise<void> };

/** The base class of the views of panels that start and end a computation in the kernel. */
export abstract class StatusView<State extends object, S extends StoreOfStatus> extends ExplorerView<State, S> {
  /** Whether a command is pending. */
  protected busy = false;

  /** Send a command, such as to start, and request the status. Do nothing while an earlier command is pending. */
  protected async sendCommand(kind: string, fields: Record<string, unknown>, options: RequestOptions): Promise<void> {
    if (this.busy) return;
    this.onUserAction();
    this.busy = true;
    this.requestDraw();
    try {
      await this.store.client.request(kind, fields, { ...options, policy: "once" });
    } catch (error) {
      this.showError(errorMessage(error));
    }
    await this.store.refreshStatus();
    this.busy = false;
    this.requestDraw();
  }
}
