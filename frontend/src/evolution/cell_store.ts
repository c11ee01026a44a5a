/** The pictures of cells: fetched in batches, those that are shown first. */
import { BitmapCache } from "../kernel/bitmap_cache.ts";
import type { KernelClient, ListedRequest, Reply } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import type { CellKey, CellsReply, CellsRequest } from "./wire.ts";

export type Part = CellsRequest["parts"][number];

const BATCH = 16; // cells of a request
const CACHE_BYTES = 160 * 2 ** 20;

export class CellStore {
  private readonly bitmaps = new BitmapCache(CACHE_BYTES);
  /** Why there is no picture, by cell. */
  private readonly reasons = new Map<string, string>();
  private generation = 0;

  constructor(
    private readonly client: KernelClient,
    private readonly changed: () => void,
  ) {}

  close(): void {
    this.bitmaps.clear();
  }

  /** Forget all pictures: they may be others. */
  clear(): void {
    this.generation += 1;
    this.bitmaps.clear();
    this.reasons.clear();
  }

  retry(): void {
    this.reasons.clear();
  }

  picture(cell: CellKey, part: Part, tile: number): ImageBitmap | undefined {
    return this.bitmaps.get(keyOf(cell, part, tile));
  }

  /** Return why a cell has no picture. */
  reason(cell: CellKey, part: Part): string | undefined {
    return this.reasons.get(`${cell.join("|")}|${part}`);
  }

  /** Request the pictures of cells in order of urgency, except those that are loaded or failed. It replaces the requests of before. */
  request(owner: object, list: "shown" | "next", cells: readonly CellKey[], parts: readonly Part[], tile: number): void {
    const missing = this.client.available ? cells.filter((cell) => this.isMissing(cell, parts, tile)) : [];
    const requests: ListedRequest[] = [];
    for (let at = 0; at < missing.length; at += BATCH) requests.push(this.batch(missing.slice(at, at + BATCH), parts, tile));
    this.client.requestList(`cells ${list}`, requests, { owner, lane: "background", priority: list === "shown" ? 1 : 2 });
  }

  private isMissing(cell: CellKey, parts: readonly Part[], tile: number): boolean {
    return parts.some((part) => !this.bitmaps.has(keyOf(cell, part, tile)) && this.reason(cell, part) === undefined);
  }

  private batch(cells: CellKey[], parts: readonly Part[], tile: number): ListedRequest {
    const { generation } = this;
    const needed = () => generation === this.generation && cells.some((cell) => this.isMissing(cell, parts, tile));
    const fail = (error: unknown) => {
      if (generation !== this.generation || error instanceof KernelUnavailable) return;
      for (const cell of cells) for (const part of parts) this.reasons.set(`${cell.join("|")}|${part}`, errorMessage(error));
      this.changed();
    };
    const receive = async (reply: Reply) => {
      if (!needed()) return;
      await this.decode(cells, parts, tile, reply).catch(fail);
      if (generation === this.generation) this.changed();
    };
    return { kind: "cells", fields: { cells, parts: [...parts], tile }, receive, fail, beforeSend: needed };
  }

  private async decode(cells: CellKey[], parts: readonly Part[], tile: number, { content, buffers }: Reply): Promise<void> {
    const { pictures } = content as unknown as CellsReply;
    let buffer = 0;
    const decoding: Promise<unknown>[] = [];
    cells.forEach((cell, index) => {
      const picture = pictures[index];
      for (const part of parts) {
        const image = part === "projections" ? picture?.projection : picture?.patch;
        if (image) decoding.push(this.bitmaps.decode(keyOf(cell, part, tile), buffers[buffer++], image.mime));
        else this.reasons.set(`${cell.join("|")}|${part}`, picture?.reason || "no picture");
      }
    });
    await Promise.all(decoding);
  }
}

function keyOf(cell: CellKey, part: Part, tile: number): string {
  return `${cell.join("|")}|${part}|${tile}`;
}
