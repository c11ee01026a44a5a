import { blob } from "../kernel/buffers.ts";
import type { KernelClient } from "../kernel/client.ts";

/** A figure as plotly's Python package writes it. */
export interface Figure {
  data: object[];
  layout: object;
}

/** What is used of plotly.js. */
export interface Plotly {
  react(place: HTMLElement, data: object[], layout: object, config: object): Promise<unknown>;
  purge(place: HTMLElement): void;
  Plots: { resize(place: HTMLElement): void };
}

/** Ask the kernel for a figure. Return null where a newer request superseded this one. */
export async function fetchFigure(client: KernelClient, owner: object, fields: Record<string, unknown>): Promise<Figure | null> {
  const reply = await client.request("chart", fields, { owner, lane: "work" });
  return reply && (JSON.parse(await blob(reply.buffers[0], "application/json").text()) as Figure);
}

/** Loads plotly.js from the kernel, once for all views of a widget, when the first chart is shown. */
export class PlotlyLoader {
  private loading: Promise<Plotly> | null = null;

  constructor(private readonly client: KernelClient) {}

  load(): Promise<Plotly> {
    this.loading ??= this.fetch().catch((error: unknown) => {
      this.loading = null; // it may be tried again
      throw error;
    });
    return this.loading;
  }

  private async fetch(): Promise<Plotly> {
    const reply = await this.client.request("plotly", {}, { policy: "queue", lane: "work" });
    const source = blob(reply?.buffers[0], "text/javascript");
    // It is a script for pages and for Node: the latter's way of exporting makes a module of it.
    const parts = [
      "const module = { exports: {} }, exports = module.exports, define = undefined;\n",
      source,
      "\nexport default module.exports;",
    ];
    const url = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
    const before = Object.getOwnPropertyDescriptor(window, "Plotly");
    try {
      return ((await import(url)) as { default: Plotly }).default;
    } finally {
      URL.revokeObjectURL(url);
      Reflect.deleteProperty(window, "Plotly"); // the page may have another version
      if (before) Object.defineProperty(window, "Plotly", before);
    }
  }
}
