/** Test photographs: which there are, and their thumbnails, for all panes of all views. */
import { BitmapCache } from "../kernel/bitmap_cache.ts";
import type { KernelClient, ListedRequest, Reply } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import type { EncodedImage } from "../kernel/wire.ts";
import type { PhotographsReply } from "./wire.ts";

const THUMBNAIL_BYTES = 64 * 2 ** 20; // of pixels
const LISTS_KEPT = 300;
const BATCH = 24; // thumbnails of a request, as the kernel draws at once
const THUMBNAIL_SIDE = 96; // CSS pixels

/** Which test photographs of a run: null leaves a field open. */
export interface TestsRequest {
  /** The run and its state: replies for another one do not count. */
  version: string;
  run: number;
  truth: number | null;
  prediction: number | null;
  right: boolean | null;
  limit: number;
}

export interface Found<Value> {
  value: Value | undefined;
  error: string | undefined;
}

/** Fetches what the panes show: lists before thumbnails, what was asked for last first, and nothing twice. */
export class PhotographStore {
  /** Device pixels of a thumbnail's side. */
  readonly size: number;
  private readonly lists = new Map<string, PhotographsReply>(); // the oldest first
  private readonly errors = new Map<string, string>();
  private readonly visible = new Map<object, TestsRequest[]>(); // by pane, the newest last
  /** Thumbnails that came since the panes last changed: where they do not all fit, none is fetched again and again. */
  private readonly received = new Set<string>();
  private readonly inFlight = new Set<string>();
  /** Thumbnails that are asked for by themselves, because a batch with them failed. */
  private readonly single = new Set<string>();
  private readonly listeners = new Set<() => void>();

  /** @param ratio device pixels per CSS pixel */
  constructor(
    private readonly client: Pick<KernelClient, "requestList" | "available">,
    ratio = globalThis.devicePixelRatio || 1,
    private readonly bitmaps = new BitmapCache(THUMBNAIL_BYTES),
  ) {
    this.size = Math.round(THUMBNAIL_SIDE * Math.min(2, Math.max(1, ratio)));
  }

  /** Be told when something came. Return the function that ends it. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.listeners.clear();
    this.visible.clear();
    this.bitmaps.clear();
  }

  /** Set what a pane shows, most urgent first. */
  setVisible(pane: object, requests: TestsRequest[]): void {
    const before = (this.visible.get(pane) ?? []).map(testsKey).join(" ");
    if (before === requests.map(testsKey).join(" ")) return;
    this.visible.delete(pane);
    if (requests.length) this.visible.set(pane, requests);
    this.received.clear();
    this.retry();
  }

  /** Fetch again what failed. */
  retry(): void {
    this.errors.clear();
    this.fetch();
  }

  list(request: TestsRequest): Found<PhotographsReply> {
    const key = testsKey(request);
    return { value: this.lists.get(key), error: this.errors.get(key) };
  }

  thumbnail(run: number, source: number): Found<ImageBitmap> {
    const key = this.thumbnailKey(run, source);
    return { value: this.bitmaps.get(key), error: this.errors.get(key) };
  }

  /** Ask for what is visible and not there. */
  private fetch(): void {
    if (!this.client.available) return;
    const visible = [...this.visible.values()].reverse().flat();
    const lists = new Map(visible.filter((one) => this.isListMissing(one)).map((one) => [testsKey(one), one]));
    const options = { owner: this, lane: "background" } as const;
    const listRequests = [...lists.values()].map((one) => this.listRequest(one));
    const runs = [...new Set(visible.map(({ run }) => run))];
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
    const given = Object.entries({ truth, prediction, right }).filter(([, value]) => value !== null);
    return {
      kind: "photographs",
      fields: { run, ...Object.fromEntries(given), limit },
      beforeSend: () => this.isListMissing(request),
      receive: ({ content }: Reply) => this.keepList(testsKey(request), content as unknown as PhotographsReply),
      fail: (error) => this.failed([testsKey(request)], error),
    };
  }

  private keepList(key: string, list: PhotographsReply): void {
    this.lists.set(key, list);
    for (const oldest of this.lists.keys()) {
      if (this.lists.size <= LISTS_KEPT) break;
      this.lists.delete(oldest);
    }
    this.notify();
  }

  private isThumbnailMissing(key: string): boolean {
    return !this.bitmaps.has(key) && !this.received.has(key) && !this.errors.has(key) && !this.inFlight.has(key);
  }

  private missingThumbnails(run: number, visible: TestsRequest[]): number[] {
    const lists = visible.filter((one) => one.run === run).flatMap((one) => this.lists.get(testsKey(one))?.photographs ?? []);
    const sources = new Set(lists.map(({ source }) => source));
    return [...sources].filter((source) => this.isThumbnailMissing(this.thumbnailKey(run, source)));
  }

  private batches(run: number, sources: number[]): ListedRequest[] {
    const isSingle = (source: number) => this.single.has(this.thumbnailKey(run, source));
    const shared = sources.filter((source) => !isSingle(source));
    const batches = sources.filter(isSingle).map((source) => [source]);
    for (let at = 0; at < shared.length; at += BATCH) batches.push(shared.slice(at, at + BATCH));
    return batches.map((batch) => this.thumbnailRequest(run, batch));
  }

  private thumbnailRequest(run: number, sources: number[]): ListedRequest {
    const keys = sources.map((source) => this.thumbnailKey(run, source));
    const end = () => {
      for (const key of keys) this.inFlight.delete(key);
    };
    const fail = (error: unknown) => {
      end();
      if (keys.length === 1 || error instanceof KernelUnavailable) this.failed(keys, error);
      else {
        for (const key of keys) this.single.add(key);
        this.notify();
      }
    };
    const receive = async ({ content, buffers }: Reply) => {
      const images = content.images as EncodedImage[];
      const decode = (key: string, at: number) => this.bitmaps.decode(key, buffers[at], images[at]?.mime ?? "");
      try {
        await Promise.all(keys.map(decode));
      } catch (error) {
        fail(error);
        return;
      }
      end();
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
    if (error instanceof KernelUnavailable) return; // fetched when the kernel is back
    const message = errorMessage(error);
    for (const key of keys) this.errors.set(key, message);
    this.notify();
  }

  private notify(): void {
    this.fetch();
    for (const listener of [...this.listeners]) listener();
  }

  private thumbnailKey(run: number, source: number): string {
    return `${run}|${source}|${this.size}`;
  }
}

export function testsKey({ version, truth, prediction, right, limit }: TestsRequest): string {
  return [version, truth, prediction, right, limit].join("|");
}
