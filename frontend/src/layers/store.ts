/** The data that all views of a LayerExplorer share. */
import { BitmapCache, decodeImage } from "../kernel/bitmap_cache.ts";
import { toFloat32Array } from "../kernel/buffers.ts";
import type { ListedRequest, Reply } from "../kernel/client.ts";
import { errorMessage, KernelError, KernelUnavailable } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { type Hello, Store } from "../kernel/store.ts";
import type { Progress, ServiceEvent } from "../kernel/wire.ts";
import { nextFrameDisplayed } from "../ui/dom.ts";
import type { FeatureMap } from "../ui/map_overlay.ts";
import { readTable, type Table } from "./unit_table.ts";
import type {
  EnlargedReply,
  EnlargeRequest,
  ImagesReply,
  MosaicRequest,
  Overview,
  Part,
  SourceReply,
  SourceRequest,
  TableReply,
  UnitDetail,
  View,
} from "./wire.ts";

export const PARTS: readonly Part[] = ["projections", "patches"];

/** Return the parts that a view shows. */
export function partsOf(view: View): Part[] {
  return PARTS.filter((part) => view === "both" || view === part);
}

/** The lists of mosaics that a view requests. A new list replaces the previous one of the same name. */
export type MosaicList = "detail" | "pinned" | "hovered" | "tiles";

/** A source photograph. */
export type Source = Omit<SourceReply, "images"> & { bitmap: ImageBitmap; width: number; height: number };

/** An enlarged activation. */
export interface Enlarged {
  /** Null: the rule cannot be applied. */
  projection: ImageBitmap | null;
  rejectionReason: string;
  patch: ImageBitmap;
  map: FeatureMap;
}

const LIST_OPTIONS = {
  detail: { lane: "urgent", priority: 2 },
  pinned: { lane: "urgent", priority: 4 },
  hovered: { lane: "background", priority: 0 },
  tiles: { lane: "background", priority: 1 },
} as const;
const PRIORITY = { enlarged: 0, table: 1, detail: 3, source: 5 };
const MAX_SOURCES = 32;
const MAX_ENLARGED = 32;

interface LayerHello extends Hello {
  overview: Overview;
}

export class LayerStore extends Store<LayerHello> {
  readonly bitmaps = new BitmapCache();
  /** The progress of the activation index while it is computed. */
  progress: Progress | null = null;
  private readonly tables = new Resource<Table>(this.client, this.notify);
  private readonly details = new Resource<UnitDetail>(this.client, this.notify);
  private readonly sources = new Resource<Source>(this.client, this.notify, MAX_SOURCES);
  private readonly enlargedActivations = new Resource<Enlarged>(this.client, this.notify, MAX_ENLARGED);
  private readonly mosaicErrors = new Map<string, string>();
  /** By layer and rule: the reason why the rule cannot be applied. */
  private readonly rejectionReasons = new Map<string, string>();
  private readonly mosaicListeners = new Set<(request: MosaicRequest) => void>();
  private generation = 0;

  override close(): void {
    super.close();
    this.mosaicListeners.clear();
    this.bitmaps.clear();
  }

  protected override reset(): void {
    this.generation += 1;
    this.progress = null;
    this.bitmaps.clear();
    const caches = [this.tables, this.details, this.sources, this.enlargedActivations, this.mosaicErrors, this.rejectionReasons];
    for (const cache of caches) cache.clear();
  }

  override retry(): void {
    this.mosaicErrors.clear();
    for (const cache of [this.tables, this.details, this.sources, this.enlargedActivations]) cache.retry();
  }

  protected override onEvent({ progress }: ServiceEvent): void {
    if (!progress) return;
    this.progress = progress;
    this.notify();
  }

  /** Register a callback for decoded mosaics. Return a function that removes it. */
  onMosaic(listener: (request: MosaicRequest) => void): () => void {
    this.mosaicListeners.add(listener);
    return () => this.mosaicListeners.delete(listener);
  }

  table(layer: string): Lookup<Table> {
    return this.tables.read(layer, async () => {
      const reply = await this.client.request<TableReply>("unit_table", { layer }, { priority: PRIORITY.table });
      return reply && readTable(reply.content, reply.buffers);
    });
  }

  unitDetail(owner: object, layer: string, unit: number): Lookup<UnitDetail> {
    return this.details.read(detailKey(layer, unit), async () => {
      const options = { owner, priority: PRIORITY.detail };
      const reply = await this.client.request<{ detail: UnitDetail }>("unit_detail", { layer, unit }, options);
      return reply?.content.detail;
    });
  }

  /** Return the detail of a unit if it is loaded. */
  loadedDetail(layer: string, unit: number): UnitDetail | undefined {
    return this.details.get(detailKey(layer, unit));
  }

  source(owner: object, request: SourceRequest): Lookup<Source> {
    const { layer, unit, rank, size } = request;
    return this.sources.read(`${layer}|${unit}|${rank}|${size}`, async () => {
      const options = { owner, priority: PRIORITY.source };
      const reply = await this.client.request<SourceReply>("source_image", { ...request }, options);
      if (!reply) return null;
      const { images, box, crop, caption } = reply.content;
      const [{ width, height, mime }] = images;
      return { box, crop, caption, width, height, bitmap: await decodeImage(reply.buffers[0], mime) };
    });
  }

  /** @param lane "background" for an activation that is likely to be enlarged next */
  enlarged(owner: object, request: EnlargeRequest, lane: "urgent" | "background" = "urgent"): Lookup<Enlarged> {
    const key = JSON.stringify(request);
    return this.enlargedActivations.read(key, async () => {
      const options = { owner, lane, priority: PRIORITY.enlarged, key: lane === "urgent" ? "enlarged" : `enlarged ${key}` };
      const reply = await this.client.request<EnlargedReply>("enlarged", { ...request }, options);
      if (!reply) return null;
      const { images, map_shape, extent, rejection_reason } = reply.content;
      const decode = (image: number, buffer: number) => decodeImage(reply.buffers[buffer], images[image]?.mime ?? "");
      const [patch, projection] = await Promise.all([decode(0, 0), images[1] ? decode(1, 2) : null]);
      const map = { values: toFloat32Array(reply.buffers[1]), rows: map_shape[0], cols: map_shape[1], extent };
      return { patch, projection, rejectionReason: rejection_reason, map };
    });
  }

  /** Request mosaics in order of urgency, except those that are cached or failed. */
  requestMosaics(owner: object, list: MosaicList, requests: MosaicRequest[], parts: readonly Part[]): void {
    const listed = this.client.available
      ? requests.flatMap((request) => this.createRequests(request, this.missing(request, parts), list))
      : [];
    this.client.requestList(list, listed, { owner, ...LIST_OPTIONS[list] });
  }

  /** Return the mosaic of one part if it is cached. */
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
      return !this.bitmaps.has(key) && !this.mosaicErrors.has(key) && (part === "patches" || !this.rejectionReason(request));
    });
  }

  private createRequests(request: MosaicRequest, parts: Part[], list: MosaicList): ListedRequest[] {
    if (!parts.length) return [];
    const { generation } = this;
    const fail = (error: unknown) => {
      if (generation === this.generation) this.mosaicsFailed(request, parts, error);
    };
    const needed = () => this.missing(request, parts).length > 0;
    const receive = async (reply: Reply) => {
      if (generation !== this.generation || !needed()) return;
      await this.decodeMosaics(request, parts, reply).catch(fail);
      // Sending the next request would delay the display of these mosaics.
      if (LIST_OPTIONS[list].lane === "urgent") await nextFrameDisplayed();
    };
    return [{ kind: "mosaics", fields: { ...request, parts }, receive, fail, beforeSend: needed }];
  }

  private async decodeMosaics(request: MosaicRequest, parts: Part[], { content, buffers }: Reply): Promise<void> {
    const { generation } = this;
    const { images } = content as unknown as ImagesReply;
    const decode = (part: Part, index: number) => this.bitmaps.decode(mosaicKey(request, part), buffers[index], images[index]?.mime ?? "");
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

function detailKey(layer: string, unit: number): string {
  return `${layer}|${unit}`;
}
