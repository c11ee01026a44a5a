/** Typed arrays and blobs from the buffers of a reply. */

const MISSING = "The kernel's reply is incomplete. Reload the page: the front end and the kernel have different versions.";

/** Return a copy as float32 values; the buffer of a message may be unaligned. */
export function toFloat32Array(buffer: DataView | undefined): Float32Array {
  return new Float32Array(bytes(buffer));
}

/** Return a copy as int32 values. */
export function toInt32Array(buffer: DataView | undefined): Int32Array {
  return new Int32Array(bytes(buffer));
}

/** Return an encoded file or image as a blob. */
export function toBlob(buffer: DataView | undefined, mime: string): Blob {
  return new Blob([bytes(buffer)], { type: mime });
}

function bytes(buffer: DataView | undefined): ArrayBuffer {
  if (!buffer) throw new Error(MISSING);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) as ArrayBuffer;
}
