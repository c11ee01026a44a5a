/** The activations that the tabs of the selected unit show, their pictures and their photographs. */

import { decodeImage } from "../kernel/bitmap_cache.ts";
import type { KernelClient } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import type { PicturesReply, PicturesRequest, Places, PlacesRequest, SourceReply } from "./wire.ts";

const MAX_PLACES = 64;
const MAX_PICTURES = 400;
const MAX_SOURCES = 32;
const BATCH = 4; // pictures in a request: short, so that another unit does not wait for it
const PRIORITY = { places: 2, source: 5 };

export interface PlacePicture {
  patch: ImageBitmap;
  /** Null: there is nothing to project. */
  projection: ImageBitmap | null;
  reason: string;
}

export type PlaceSource = Omit<SourceReply, "images"> & { bitmap: ImageBitmap; width: number; height: number };

export class PlaceStore {
  private readonly lists: Resource<Places>;
  private readonly sources: Resource<PlaceSource>;
  private readonly pictures = new Map<string, PlacePicture>(); // least recently used first
  private readonly errors = new Map<string, string>();
  private loading = "";
  private generation = 0;

  constructor(
    private readonly client: KernelClient,
    private readonly changed: () => void,
  ) {
    this.lists = new Resource<Places>(client, changed, MAX_PLACES);
    this.sources = new Resource<PlaceSource>(client, changed, MAX_SOURCES);
  }

  places(owner: object, { layer, unit, tab }: PlacesRequest): Lookup<Places> {
    return this.lists.read(placesKey({ layer, unit, tab }), async () => {
      const options = { owner, priority: PRIORITY.places };
      return (await this.client.request<{ places: Places }>("places", { layer, unit, tab }, options))?.content.places;
    });
  }

  isLoaded(request: PlacesRequest): boolean {
    return this.lists.get(placesKey(request)) !== undefined;
  }

  /** Return the pictures of one activation if they are loaded. */
  picture(request: PicturesRequest, number: number): PlacePicture | undefined {
    const key = pictureKey(request, number);
    const found = this.pictures.get(key);
    if (found) {
      this.pictures.delete(key);
      this.pictures.set(key, found);
    }
    return found;
  }

  /** Return the error message if the pictures of an activation could not be fetched. */
  pictureError(request: PicturesRequest, number: number): string | undefined {
    return this.errors.get(pictureKey(request, number));
  }

  /** Request the first pictures that are missing. It is called again when they have arrived. */
  request(owner: object, request: PicturesRequest, numbers: readonly number[]): void {
    const isMissing = (number: number) => !this.picture(request, number) && !this.pictureError(request, number);
    const missing = numbers.filter(isMissing).slice(0, BATCH);
    const loading = JSON.stringify([request, missing]);
    if (!missing.length || loading === this.loading || !this.client.available) return;
    this.loading = loading;
    void this.load(owner, request, missing, loading);
  }

  source(owner: object, { layer, unit, tab }: PlacesRequest, number: number, size: number): Lookup<PlaceSource> {
    return this.sources.read(`${placesKey({ layer, unit, tab })}|${number}|${size}`, async () => {
      const options = { owner, priority: PRIORITY.source };
      const reply = await this.client.request<SourceReply>("place_source", { layer, unit, tab, number, size }, options);
      if (!reply) return null;
      const { images, box, crop, caption } = reply.content;
      const [{ width, height, mime }] = images;
      return { box, crop, caption, width, height, bitmap: await decodeImage(reply.buffers[0], mime) };
    });
  }

  /** Read the activations of some layers again: there are more crops. */
  renew(layers: readonly string[]): void {
    const isOutdated = (key: string) => layers.includes(key.split("|")[0] ?? "");
    this.lists.renew(isOutdated);
    this.sources.renew(isOutdated);
    for (const key of [...this.pictures.keys()]) if (isOutdated(key)) this.pictures.delete(key);
  }

  clear(): void {
    this.generation += 1;
    this.loading = "";
    this.lists.clear();
    this.sources.clear();
    this.pictures.clear();
    this.errors.clear();
  }

  retry(): void {
    this.lists.retry();
    this.sources.retry();
    this.errors.clear();
  }

  private async load(owner: object, request: PicturesRequest, numbers: number[], loading: string): Promise<void> {
    const { generation } = this;
    try {
      const options = { owner, lane: "background" as const, priority: 0, key: "place_pictures" };
      const reply = await this.client.request<PicturesReply>("place_pictures", { ...request, numbers }, options);
      if (!reply || generation !== this.generation) return;
      const buffers = [...reply.buffers];
      for (const [index, { images, reason }] of reply.content.pictures.entries()) {
        const [patch, projection = null] = await Promise.all(images.map(({ mime }) => decodeImage(buffers.shift(), mime)));
        if (patch && generation === this.generation) this.put(pictureKey(request, numbers[index] ?? -1), { patch, projection, reason });
      }
    } catch (error) {
      if (error instanceof KernelUnavailable || generation !== this.generation) return;
      for (const number of numbers) this.errors.set(pictureKey(request, number), errorMessage(error));
    } finally {
      if (this.loading === loading) this.loading = "";
    }
    this.changed();
  }

  private put(key: string, picture: PlacePicture): void {
    this.pictures.set(key, picture);
    for (const oldest of this.pictures.keys()) {
      if (this.pictures.size <= MAX_PICTURES) break;
      this.pictures.delete(oldest);
    }
  }
}

function placesKey({ layer, unit, tab }: PlacesRequest): string {
  return `${layer}|${unit}|${tab}`;
}

function pictureKey(request: PicturesRequest, number: number): string {
  return `${placesKey(request)}|${number}|${request.rule}|${request.tile}`;
}
