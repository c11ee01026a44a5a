import { blob } from "./buffers.ts";
/** Decoded pictures, as many as fit into a bound of bytes; the least recently used go first. */
export class Pictures {
  bound: number;
  bytes: number;
  /** in the order of use */
  bitmaps: Map<string, ImageBitmap>;
  /** being decoded */
  coming: Set<string>;
  generation: number;

  /** @param bound bytes of pixels */
  constructor(bound: number = 96 * 2 ** 20) {
    this.bound = bound;
    this.bytes = 0;
    this.bitmaps = new Map();
    this.coming = new Set();
    this.generation = 0;
  }

  get(key: string) {
    const bitmap = this.bitmaps.get(key);
    if (bitmap) {
      this.bitmaps.delete(key);
      this.bitmaps.set(key, bitmap);
    }
    return bitmap;
  }

  /** Whether it is there or about to be. */
  has(key: string) {
    return this.bitmaps.has(key) || this.coming.has(key);
  }

  /** Decode and keep. Resolves to null where the pictures were cleared meanwhile. */
  async decode(key: string, data: DataView | undefined, mime: string) {
    const { generation } = this;
    this.coming.add(key);
    const bitmap = await createImageBitmap(blob(data, mime)).finally(() => {
      this.coming.delete(key);
    });
    if (generation !== this.generation) {
      bitmap.close();
      return null;
    }
    this.put(key, bitmap);
    return bitmap;
  }

  put(key: string, bitmap: ImageBitmap) {
    this.drop(key);
    this.bitmaps.set(key, bitmap);
    this.bytes += bitmap.width * bitmap.height * 4;
    for (const oldest of this.bitmaps.keys()) {
      if (this.bytes <= this.bound || oldest === key) break;
      this.drop(oldest);
    }
  }

  drop(key: string) {
    const bitmap = this.bitmaps.get(key);
    if (!bitmap) return;
    this.bitmaps.delete(key);
    this.bytes -= bitmap.width * bitmap.height * 4;
    bitmap.close();
  }

  clear() {
    this.generation += 1;
    for (const key of [...this.bitmaps.keys()]) this.drop(key);
  }
}

/** The key of one of a unit's two mosaics. Patches are the same under every rule and contrast. */
export function mosaicKey(
  { layer, unit, rule, contrast, tile }: { layer: string; unit: number; rule: string; contrast: string; tile: number },
  part: "projections" | "patches",
) {
  return part === "patches" ? `${layer}|${unit}|${tile}` : `${layer}|${unit}|${tile}|${rule}|${contrast}`;
}
