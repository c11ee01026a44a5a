/** A cache of labelled photographs: lists and thumbnails, shared by all panes of all views. */
import { BitmapCache } from "../kernel/bitmap_cache.ts";
import type { KernelClient, ListedRequest, Reply } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import type { EncodedImage } from "../kernel/wire.ts";
import type { PhotographsReply, TestPhotograph } from "./wire.ts";

const THUMBNAIL_BYTES = 64 * 2 ** 20; // of pixels
const MAX_LISTS = 300;
const BATCH = 24; // thumbnails per request; limit of the kernel
const THUMBNAIL_SIDE = 96; // CSS pixels

/** Photographs whose thumbnails are shown, which are known without a list. */
interface ShownSources {
  run: number;
  sources: readonly number[];
}

/** A selection of the photographs of a run; null: any value. */
export interface TestsRequest {
  /** Identifies the state of the run. */
  version: string;
  run: number;
  truth: number | null;
  prediction: number | null;
  right: boolean | null;
  limit: number;
}

export interface CacheEntry<Value> {
  value: Value | undefined;
  error: string | undefined;
}

/** Fetches the lists and thumbnails that panes show. Lists are fetched before thumbnails, and the last requests first. */
export class PhotographStore<Photograph extends { source: number } = TestPhotograph> {
  /** The side of a thumbnail in device pixels. */
  readonly size: number;
  private readonly lists = new Map<string, PhotographsReply<Photograph>>(); // oldest first
  /** The last list of each request, whatever the version of the run, shown until the newer one is loaded. */
  private readonly earlier = new Map<string, PhotographsReply<Photograph>>();
  private readonly errors = new Map<string, string>();
  private readonly visible = new Map<object, TestsRequest[]>(); // by pane, newest last
  private readonly sources = new Map<object, ShownSources>(); // by pane
  /** Thumbnails that were received since the panes last changed. They are not fetched again if the cache is too small for all. */
  private readonly received = new Set<string>();
  private readonly inFlight = new Set<string>();
  /** Thumbnails that are requested one by one, since a batch that contained them failed. */
  private readonly fetchedSingly = new Set<string>();
  private readonly listeners = new Set<() => void>();

  /**
   * @param ratio device pixels per CSS pixel
   * @param imagesOf returns what identifies the photographs of a run: thumbnails of the same photographs are fetched once
   */
  constructor(
    private readonly client: Pick<KernelClient, "requestList" | "available">,
    ratio = globalThis.devicePixelRatio || 1,
    private readonly bitmaps = new BitmapCache(THUMBNAIL_BYTES),
    private readonly imagesOf: (run: number) => string | number = (run) => run,
  ) {
    this.size = Math.round(THUMBNAIL_SIDE * Math.min(2, Math.max(1, ratio)));
  }

  /** Register a callback for received data. Return a function that removes it. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.listeners.clear();
    this.visible.clear();
    this.sources.clear();
    this.bitmaps.clear();
  }

  /** Set the requests of a pane, in order of urgency. */
  setVisible(pane: object, requests: TestsRequest[]): void {
    const previousKeys = (this.visible.get(pane) ?? []).map(testsKey).join(" ");
    if (previousKeys === requests.map(testsKey).join(" ")) return;
    this.visible.delete(pane);
    if (requests.length) this.visible.set(pane, requests);
    this.received.clear();
    this.retry();
  }

  /** Set the photographs whose thumbnails a pane shows without a list. */
  setVisibleSources(pane: object, run: number, sources: readonly number[]): void {
    const previous = this.sources.get(pane);
    if (previous?.run === run && String(previous.sources) === String(sources)) return;
    this.sources.delete(pane);
    if (sources.length) this.sources.set(pane, { run, sources });
    this.received.clear();
    this.retry();
  }

  /** Clear the errors, and repeat failed requests. */
  retry(): void {
    this.errors.clear();
    this.fetch();
  }

  list(request: TestsRequest): CacheEntry<PhotographsReply<Photograph>> {
    const key = testsKey(request);
    return { value: this.lists.get(key) ?? this.earlier.get(earlierKey(request)), error: this.errors.get(key) };
  }

  thumbnail(run: number, source: number): CacheEntry<ImageBitmap> {
    const key = this.thumbnailKey(run, source);
    return { value: this.bitmaps.get(key), error: this.errors.get(key) };
  }

  /** Request the visible lists and thumbnails that are missing. */
  private fetch(): void {
    if (!this.client.available) return;
    const visible = [...this.visible.values()].reverse().flat();
    const lists = new Map(visible.filter((request) => this.isListMissing(request)).map((request) => [testsKey(request), request]));
    const options = { owner: this, lane: "background" } as const;
    const listRequests = [...lists.values()].map((request) => this.listRequest(request));
    const runs = [...new Set([...visible, ...this.sources.values()].map(({ run }) => run))];
    const batches = runs.flatMap((run) => this.batches(run, this.missingThumbnails(run, visible)));
    this.client.requestList("photographs", listRequests, { ...options, priority: 2 });
    this.client.requestList("thumbnails", batches, { ...options, priority: 3 });
  }

  private isListMissing(request: TestsRequest): boolean {
    const key = testsKey(request);
    return !this.lists.has(key) && !this.errors.has(key);
  }

  private listRequest(request: TestsRequest): ListedRequest {
    const { run, truth, prediction, right, limit } = request;
    const conditions = Object.entries({ truth, prediction, right }).filter(([, value]) => value !== null);
    return {
      kind: "photographs",
      fields: { run, ...Object.fromEntries(conditions), limit },
      beforeSend: () => this.isListMissing(request),
      receive: ({ content }: Reply) => this.keepList(request, content as unknown as PhotographsReply<Photograph>),
      fail: (error) => this.failed([testsKey(request)], error),
    };
  }

  private keepList(request: TestsRequest, list: PhotographsReply<Photograph>): void {
    this.lists.set(testsKey(request), list);
    this.earlier.delete(earlierKey(request));
    this.earlier.set(earlierKey(request), list);
    for (const lists of [this.lists, this.earlier]) {
      for (const oldest of lists.keys()) {
        if (lists.size <= MAX_LISTS) break;
        lists.delete(oldest);
      }
    }
    this.notify();
  }

  private isThumbnailMissing(key: string): boolean {
    return !this.bitmaps.has(key) && !this.received.has(key) && !this.errors.has(key) && !this.inFlight.has(key);
  }

  private missingThumbnails(run: number, visible: TestsRequest[]): number[] {
    const lists = visible
      .filter((request) => request.run === run)
      .flatMap((request) => this.lists.get(testsKey(request))?.photographs ?? []);
    const shown = [...this.sources.values()].filter((pane) => pane.run === run).flatMap(({ sources }) => sources);
    const sources = new Set([...lists.map(({ source }) => source), ...shown]);
    return [...sources].filter((source) => this.isThumbnailMissing(this.thumbnailKey(run, source)));
  }

  private batches(run: number, sources: number[]): ListedRequest[] {
    const isFetchedSingly = (source: number) => this.fetchedSingly.has(this.thumbnailKey(run, source));
    const batched = sources.filter((source) => !isFetchedSingly(source));
    const batches = sources.filter(isFetchedSingly).map((source) => [source]);
    for (let start = 0; start < batched.length; start += BATCH) batches.push(batched.slice(start, start + BATCH));
    return batches.map((batch) => this.thumbnailRequest(run, batch));
  }

  private thumbnailRequest(run: number, sources: number[]): ListedRequest {
    const keys = sources.map((source) => this.thumbnailKey(run, source));
    const clearInFlight = () => {
      for (const key of keys) this.inFlight.delete(key);
    };
    const fail = (error: unknown) => {
      clearInFlight();
      if (keys.length === 1 || error instanceof KernelUnavailable) this.failed(keys, error);
      else {
        for (const key of keys) this.fetchedSingly.add(key);
        this.notify();
      }
    };
    const receive = async ({ content, buffers }: Reply) => {
      const images = content.images as EncodedImage[];
      const decode = (key: string, index: number) => this.bitmaps.decode(key, buffers[index], images[index]?.mime ?? "");
      try {
        await Promise.all(keys.map(decode));
      } catch (error) {
        fail(error);
        return;
      }
      clearInFlight();
      for (const key of keys) this.received.add(key);
      this.notify();
    };
    const beforeSend = () => {
      if (!keys.some((key) => this.isThumbnailMissing(key))) return false;
      for (const key of keys) this.inFlight.add(key);
      return true;
    };
    return { kind: "thumbnails", fields: { run, sources, size: this.size }, beforeSend, receive, fail };
  }

  private failed(keys: string[], error: unknown): void {
    if (error instanceof KernelUnavailable) return; // fetched when the kernel is available again
    const message = errorMessage(error);
    for (const key of keys) this.errors.set(key, message);
    this.notify();
  }

  private notify(): void {
    this.fetch();
    for (const listener of [...this.listeners]) listener();
  }

  private thumbnailKey(run: number, source: number): string {
    return `${this.imagesOf(run)}|${source}|${this.size}`;
  }
}

/** Return the key of a request without the version of the run. */
function earlierKey({ run, truth, prediction, right, limit }: TestsRequest): string {
  return [run, truth, prediction, right, limit].join("|");
}

export function testsKey({ version, truth, prediction, right, limit }: TestsRequest): string {
  return [version, truth, prediction, right, limit].join("|");
}
