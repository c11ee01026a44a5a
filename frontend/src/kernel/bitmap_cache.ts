import { toBlob } from "./buffers.ts";
import { UserError } from "./errors.ts";

/** Decode an image. Throw UserError if the browser cannot decode it. */
export async function decodeImage(data: DataView | undefined, mime: string): Promise<ImageBitmap> {
  const encoded = toBlob(data, mime);
  try {
    return await createImageBitmap(encoded);
  } catch {
    throw new UserError("The browser cannot decode the image.");
  }
}

/** An LRU cache of decoded images, limited in bytes. */
export class BitmapCache {
  bytes = 0;
  private readonly bitmaps = new Map<string, ImageBitmap>(); // least recently used first
  private readonly decoding = new Set<string>();
  private generation = 0;

  /** @param limit the maximum total size of the pixels, in bytes */
  constructor(private readonly limit = 96 * 2 ** 20) {}

  get(key: string): ImageBitmap | undefined {
    const bitmap = this.bitmaps.get(key);
    if (bitmap) {
      this.bitmaps.delete(key);
      this.bitmaps.set(key, bitmap);
    }
    return bitmap;
  }

  /** Return whether an image is cached or being decoded. */
  has(key: string): boolean {
    return this.bitmaps.has(key) || this.decoding.has(key);
  }

  /** Decode an image and cache it. Resolve to null if the cache was cleared meanwhile. */
  async decode(key: string, data: DataView | undefined, mime: string): Promise<ImageBitmap | null> {
    const { generation } = this;
    this.decoding.add(key);
    const bitmap = await decodeImage(data, mime).finally(() => this.decoding.delete(key));
    if (generation !== this.generation) {
      bitmap.close();
      return null;
    }
    this.put(key, bitmap);
    return bitmap;
  }

  put(key: string, bitmap: ImageBitmap): void {
    this.evict(key);
    this.bitmaps.set(key, bitmap);
    this.bytes += bitmap.width * bitmap.height * 4;
    for (const oldest of [...this.bitmaps.keys()]) {
      if (this.bytes <= this.limit || oldest === key) break;
      this.evict(oldest);
    }
  }

  clear(): void {
    this.generation += 1;
    for (const key of [...this.bitmaps.keys()]) this.evict(key);
  }

  private evict(key: string): void {
    const bitmap = this.bitmaps.get(key);
    if (!bitmap) return;
    this.bitmaps.delete(key);
    this.bytes -= bitmap.width * bitmap.height * 4;
    bitmap.close();
  }
}
