import type { Lookup } from "../kernel/resource.ts";
import type { Hello } from "../kernel/store.ts";
import { StatusView } from "../ui/status_view.ts";
import { RUN_PRIORITY, type RunStore } from "./run_store.ts";

interface DataState {
  data: string;
  root: string | null;
}

type Shared<Status, Summary> = RunStore<Status, Summary, Hello & { status: Status }>;

/** The base class of the views of panels whose runs are computed in the kernel. */
export abstract class RunPanelView<State extends DataState, Status, Summary, S extends Shared<Status, Summary>> extends StatusView<
  State,
  S
> {
  /** The last summary, and its data. It is shown until a newer summary of the same data is loaded. */
  private lastSummary: { data: string; summary: Summary } | null = null;
  /** Return the summary of the data to show, given what is loaded of that of the state. */
  protected dataContent({ value, error }: Lookup<Summary>) {
    const data = JSON.stringify([this.state.data, this.state.root]);
    if (value) this.lastSummary = { data, summary: value };
    const summary = this.lastSummary?.data === data && !error ? this.lastSummary.summary : null;
    return { summary, error: error ?? "", loading: !value && !error };
  }

  /** Start or stop a run. */
  protected startOrStop(kind: "start" | "stop", fields: Record<string, unknown>): Promise<void> {
    return this.sendCommand(kind, fields, { priority: RUN_PRIORITY[kind] });
  }
}
