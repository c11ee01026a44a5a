/**
 * Decoded pictures, as many as fit into a bound of bytes; the least recently used go first.
 */
export class Pictures {
  /** @param {number} [bound] bytes of pixels */
  constructor(bound = 96 * 2 ** 20) {
    this.bound = bound;
    this.bytes = 0;
    /** @type {Map<string, ImageBitmap>} in the order of use */
    this.bitmaps = new Map();
    /** @type {Set<string>} being decoded */
    this.coming = new Set();
    this.generation = 0;
  }

  /** @param {string} key */
  get(key) {
    const bitmap = this.bitmaps.get(key);
    if (bitmap) {
      this.bitmaps.delete(key);
      this.bitmaps.set(key, bitmap);
    }
    return bitmap;
  }

  /** Whether it is there or about to be. @param {string} key */
  has(key) {
    return this.bitmaps.has(key) || this.coming.has(key);
  }

  /**
   * Decode and keep. Resolves to null where the pictures were cleared meanwhile.
   * @param {string} key
   * @param {DataView} data
   * @param {string} mime
   */
  async decode(key, data, mime) {
    const { generation } = this;
    this.coming.add(key);
    const bitmap = await createImageBitmap(new Blob([/** @type {BlobPart} */ (data)], { type: mime })).finally(() => {
      this.coming.delete(key);
    });
    if (generation !== this.generation) {
      bitmap.close();
      return null;
    }
    this.put(key, bitmap);
    return bitmap;
  }

  /** @param {string} key @param {ImageBitmap} bitmap */
  put(key, bitmap) {
    this.drop(key);
    this.bitmaps.set(key, bitmap);
    this.bytes += bitmap.width * bitmap.height * 4;
    for (const oldest of this.bitmaps.keys()) {
      if (this.bytes <= this.bound || oldest === key) break;
      this.drop(oldest);
    }
  }

  /** @param {string} key */
  drop(key) {
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

/**
 * The key of one of a unit's two mosaics. Patches are the same under every rule and contrast.
 * @param {{layer: string, unit: number, rule: string, contrast: string, tile: number}} what
 * @param {"projections" | "patches"} part
 */
export function mosaicKey({ layer, unit, rule, contrast, tile }, part) {
  return part === "patches" ? `${layer}|${unit}|${tile}` : `${layer}|${unit}|${tile}|${rule}|${contrast}`;
}
