/** The data that all views of a LayerExplorer share. */

import { ContributionStore } from "../contributions/store.ts";
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
  Layer,
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

/** The request is no action of the user: long jobs are not slowed for it. */
const REFRESH = { refresh: true };

/** What a cached mosaic was requested for. */
interface MosaicVersion {
  generation: number;
  /** That of the unit's strongest activations; undefined if the table was not loaded. */
  fingerprint: number | undefined;
}

interface LayerHello extends Hello {
  overview: Overview;
}

export class LayerStore extends Store<LayerHello> {
  readonly bitmaps = new BitmapCache();
  readonly contributions = new ContributionStore(this.client, this.notify);
  /** The progress of the activation index while it is computed, and the layers that it has. */
  progress: Progress | null = null;
  progressLayers: string[] = [];
  private readonly tables = new Resource<Table>(this.client, this.notify);
  private readonly details = new Resource<UnitDetail>(this.client, this.notify);
  private readonly sources = new Resource<Source>(this.client, this.notify, MAX_SOURCES);
  private readonly enlargedActivations = new Resource<Enlarged>(this.client, this.notify, MAX_ENLARGED);
  private readonly layerLists = new Resource<Layer[]>(this.client, this.notify);
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
    this.progress = null;
    this.tables.renew();
    const caches = [
      this.details,
      this.sources,
      this.enlargedActivations,
      this.layerLists,
      this.mosaicErrors,
      this.rejectionReasons,
      this.contributions,
    ];
    for (const cache of caches) cache.clear();
  }

  override retry(): void {
    this.mosaicErrors.clear();
    for (const cache of [this.tables, this.details, this.sources, this.enlargedActivations, this.layerLists, this.contributions])
      cache.retry();
  }

  protected override onEvent({ event, progress, layers = [] }: ServiceEvent): void {
    if (event === "contributions") this.contributions.requestAgain();
    if (!progress) return;
    this.progress = progress;
    if (event === "partial") this.renew(layers);
    else this.progressLayers = layers;
    this.notify();
  }

  /** Return all layers of the model. */
  allLayers(): Lookup<Layer[]> {
    return this.layerLists.read("all", async () => (await this.client.request<{ layers: Layer[] }>("all_layers"))?.content.layers);
  }

  /** Register a callback for decoded mosaics. Return a function that removes it. */
  onMosaic(listener: (request: MosaicRequest) => void): () => void {
    this.mosaicListeners.add(listener);
    return () => this.mosaicListeners.delete(listener);
  }

  table(layer: string): Lookup<Table> {
    return this.tables.read(layer, async () => {
      const fields = { layer, ...(this.tables.isStale(layer) ? REFRESH : {}) };
      const reply = await this.client.request<TableReply>("unit_table", fields, { key: `unit_table ${layer}`, priority: PRIORITY.table });
      return reply && readTable(reply.content, reply.buffers);
    });
  }

  unitDetail(owner: object, layer: string, unit: number): Lookup<UnitDetail> {
    const key = detailKey(layer, unit);
    return this.details.read(key, async () => {
      const options = { owner, priority: PRIORITY.detail };
      const fields = { layer, unit, ...(this.details.isStale(key) ? REFRESH : {}) };
      const reply = await this.client.request<{ detail: UnitDetail }>("unit_detail", fields, options);
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
    const missing = this.client.available ? requests.map((request) => ({ request, parts: this.missing(request, parts) })) : [];
    const isShown = (request: MosaicRequest) => parts.some((part) => this.bitmaps.has(mosaicKey(request, part)));
    const create = (shown: boolean) =>
      missing
        .filter(({ request }) => isShown(request) === shown)
        .flatMap(({ request, parts }) => this.createRequests(request, parts, list, shown));
    this.client.requestList(list, create(false), { owner, ...LIST_OPTIONS[list] });
    this.client.requestList(`${list} again`, create(true), { owner, ...LIST_OPTIONS[list], lane: "background" });
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

  /** Read the tables and the details of some layers again: there are more crops. */
  private renew(layers: string[]): void {
    this.tables.renew((layer) => layers.includes(layer));
    for (const cache of [this.details, this.sources]) cache.renew((key) => layers.includes(key.split("|")[0] ?? ""));
    this.enlargedActivations.renew((key) => layers.includes((JSON.parse(key) as EnlargeRequest).layer));
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

function detailKey(layer: string, unit: number): string {
  return `${layer}|${unit}`;
}
