import { toBlob } from "../kernel/buffers.ts";
import type { KernelClient } from "../kernel/client.ts";

/** A figure in the JSON format of plotly.py. */
export interface Figure {
  data: object[];
  layout: object;
}

/** The functions of plotly.js that are used. */
export interface Plotly {
  react(container: HTMLElement, data: object[], layout: object, config: object): Promise<unknown>;
  purge(container: HTMLElement): void;
  Plots: { resize(container: HTMLElement): void };
}

/** Request a figure from the kernel. Return null if a newer request superseded this one. */
export async function fetchFigure(client: KernelClient, owner: object, fields: Record<string, unknown>): Promise<Figure | null> {
  const reply = await client.request("chart", fields, { owner, lane: "work" });
  return reply && (JSON.parse(await toBlob(reply.buffers[0], "application/json").text()) as Figure);
}

/** Loads plotly.js from the kernel, once for all views of a widget, when the first chart is shown. */
export class PlotlyLoader {
  private loading: Promise<Plotly> | null = null;

  constructor(private readonly client: KernelClient) {}

  load(): Promise<Plotly> {
    this.loading ??= this.fetch().catch((error: unknown) => {
      this.loading = null; // allow a retry
      throw error;
    });
    return this.loading;
  }

  private async fetch(): Promise<Plotly> {
    const reply = await this.client.request("plotly", {}, { policy: "queue", lane: "work" });
    const source = toBlob(reply?.buffers[0], "text/javascript");
    // plotly.js is a UMD script; with CommonJS variables it can be imported as a module.
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
      Reflect.deleteProperty(window, "Plotly"); // restore the page's own version
      if (before) Object.defineProperty(window, "Plotly", before);
    }
  }
}
