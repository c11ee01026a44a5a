/** The tables and the mosaics of units, which all views of a LayerExplorer share. */

import { BitmapCache } from "../kernel/bitmap_cache.ts";
import type { ListedRequest, Reply } from "../kernel/client.ts";
import { errorMessage, KernelError, KernelUnavailable } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { type Hello, Store } from "../kernel/store.ts";
import { nextFrameDisplayed } from "../ui/dom.ts";
import { readTable, type Table } from "./unit_table.ts";
import type { ImagesReply, IndexState, MosaicRequest, Overview, Part, TableReply, View } from "./wire.ts";

export const PARTS: readonly Part[] = ["projections", "patches"];

/** Return the parts that a view shows. */
export function partsOf(view: View): Part[] {
  return PARTS.filter((part) => view === "both" || view === part);
}

/** The lists of mosaics that a view requests. A new list replaces the previous one of the same name. */
export type MosaicList = "detail" | "pinned" | "hovered" | "tiles";

const LIST_OPTIONS = {
  detail: { lane: "urgent", priority: 2 },
  pinned: { lane: "urgent", priority: 4 },
  hovered: { lane: "background", priority: 0 },
  tiles: { lane: "background", priority: 1 },
} as const;
/** Of mosaics that are shown already, and drawn again from more crops: those of the selected unit come before the tiles. */
const AGAIN_PRIORITY: Record<MosaicList, number> = { detail: 0, hovered: 0, tiles: 1, pinned: 4 };
const TABLE_PRIORITY = 1;

/** The request is no action of the user: long jobs are not slowed for it. */
export const REFRESH = { refresh: true };

/** What a cached mosaic was requested for. */
interface MosaicVersion {
  generation: number;
  /** That of the unit's strongest activations; undefined if the table was not loaded. */
  fingerprint: number | undefined;
}

export interface LayerHello extends Hello {
  overview: Overview;
  index: IndexState;
}

export abstract class MosaicStore extends Store<LayerHello> {
  readonly bitmaps = new BitmapCache();
  protected readonly tables = new Resource<Table>(this.client, this.notify);
  private readonly versions = new Map<string, MosaicVersion>();
  private readonly mosaicErrors = new Map<string, string>();
  /** By layer and rule: the reason why the rule cannot be applied. */
  private readonly rejectionReasons = new Map<string, string>();
  private readonly mosaicListeners = new Set<(request: MosaicRequest) => void>();
  private generation = 0;

  override close(): void {
    super.close();
    this.mosaicListeners.clear();
    this.bitmaps.clear();
    this.versions.clear();
  }

  /** Mosaics and tables stay visible until they are fetched again; mosaics only if the strongest activations of their unit are others. */
  protected override reset(): void {
    this.generation += 1;
    this.tables.renew();
    this.mosaicErrors.clear();
    this.rejectionReasons.clear();
  }

  override retry(): void {
    this.mosaicErrors.clear();
    this.tables.retry();
  }

  /** Register a callback for decoded mosaics. Return a function that removes it. */
  onMosaic(listener: (request: MosaicRequest) => void): () => void {
    this.mosaicListeners.add(listener);
    return () => this.mosaicListeners.delete(listener);
  }

  table(layer: string): Lookup<Table> {
    return this.tables.read(layer, async () => {
      const fields = { layer, ...(this.tables.isStale(layer) ? REFRESH : {}) };
      const reply = await this.client.request<TableReply>("unit_table", fields, { key: `unit_table ${layer}`, priority: TABLE_PRIORITY });
      return reply && readTable(reply.content, reply.buffers);
    });
  }

  /** Request mosaics in order of urgency, except those that are cached or failed. */
  requestMosaics(owner: object, list: MosaicList, requests: MosaicRequest[], parts: readonly Part[]): void {
    const missing = this.client.available ? requests.map((request) => ({ request, parts: this.missing(request, parts) })) : [];
    const isShown = (request: MosaicRequest) => parts.some((part) => this.bitmaps.has(mosaicKey(request, part)));
    const create = (shown: boolean) =>
      missing
        .filter(({ request }) => isShown(request) === shown)
        .flatMap(({ request, parts }) => this.createRequests(request, parts, list, shown));
    this.client.requestList(list, create(false), { owner, ...LIST_OPTIONS[list] });
    this.client.requestList(`${list} again`, create(true), { owner, lane: "background", priority: AGAIN_PRIORITY[list] });
  }

  /** Return the mosaic of one part if it is cached, perhaps one of fewer crops until that of all crops arrives. */
  mosaic(request: MosaicRequest, part: Part): ImageBitmap | undefined {
    return this.bitmaps.get(mosaicKey(request, part));
  }

  /** Return the error message if mosaics could not be fetched. */
  mosaicError(request: MosaicRequest): string | undefined {
    return PARTS.map((part) => this.mosaicErrors.get(mosaicKey(request, part))).find(Boolean);
  }

  /** Return the reason why the rule cannot be applied to the layer; undefined if it can. */
  rejectionReason({ layer, rule }: Pick<MosaicRequest, "layer" | "rule">): string | undefined {
    return this.rejectionReasons.get(`${layer}|${rule}`);
  }

  private missing(request: MosaicRequest, parts: readonly Part[]): Part[] {
    return parts.filter((part) => {
      const key = mosaicKey(request, part);
      const needed = !this.bitmaps.has(key) || !this.isCurrent(request, key);
      return needed && !this.mosaicErrors.has(key) && (part === "patches" || !this.rejectionReason(request));
    });
  }

  /** Return whether a cached mosaic shows the strongest activations of the unit as far as they are known. */
  private isCurrent({ layer, unit }: MosaicRequest, key: string): boolean {
    const version = this.versions.get(key);
    if (!version) return false;
    const isNew = version.generation === this.generation;
    const table = this.tables.get(layer);
    if (!table) return isNew;
    if (this.tables.isStale(layer)) return isNew || this.tables.isPending(layer);
    // Requested before the table was loaded, of a complete index: it shows what the table describes.
    if (version.fingerprint === undefined && isNew && table.crops === null) version.fingerprint = table.fingerprints[unit];
    return version.fingerprint !== undefined && version.fingerprint === table.fingerprints[unit];
  }

  private version({ layer, unit }: MosaicRequest): MosaicVersion {
    const table = this.tables.isStale(layer) ? undefined : this.tables.get(layer);
    return { generation: this.generation, fingerprint: table?.fingerprints[unit] };
  }

  private createRequests(request: MosaicRequest, parts: Part[], list: MosaicList, again: boolean): ListedRequest[] {
    if (!parts.length) return [];
    const { generation } = this;
    const version = this.version(request);
    const fail = (error: unknown) => {
      if (generation === this.generation) this.mosaicsFailed(request, parts, error);
    };
    const needed = () => this.missing(request, parts).length > 0;
    const receive = async (reply: Reply) => {
      if (generation !== this.generation || !needed()) return;
      await this.decodeMosaics(request, parts, reply, version).catch(fail);
      // Sending the next request would delay the display of these mosaics.
      if (LIST_OPTIONS[list].lane === "urgent" && !again) await nextFrameDisplayed();
    };
    return [{ kind: "mosaics", fields: { ...request, parts, ...(again ? REFRESH : {}) }, receive, fail, beforeSend: needed }];
  }

  private async decodeMosaics(request: MosaicRequest, parts: Part[], { content, buffers }: Reply, version: MosaicVersion): Promise<void> {
    const { generation } = this;
    const { images } = content as unknown as ImagesReply;
    const decode = (part: Part, index: number) => {
      const key = mosaicKey(request, part);
      this.versions.set(key, version);
      return this.bitmaps.decode(key, buffers[index], images[index]?.mime ?? "");
    };
    await Promise.all(parts.map(decode));
    if (generation !== this.generation) return;
    for (const listener of [...this.mosaicListeners]) listener(request);
    this.notify();
  }

  private mosaicsFailed(request: MosaicRequest, parts: Part[], error: unknown): void {
    if (error instanceof KernelUnavailable) return; // requested again when the kernel is available
    if (error instanceof KernelError && error.ruleRejected) this.rejectionReasons.set(`${request.layer}|${request.rule}`, error.message);
    else for (const part of parts) this.mosaicErrors.set(mosaicKey(request, part), errorMessage(error));
    this.notify();
  }
}

/** Return the cache key of a mosaic. Patches do not depend on the rule and the contrast. */
export function mosaicKey({ layer, unit, rule, contrast, tile }: MosaicRequest, part: Part): string {
  return part === "patches" ? `${layer}|${unit}|${tile}` : `${layer}|${unit}|${tile}|${rule}|${contrast}`;
}
