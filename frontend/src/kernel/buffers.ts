/** Arrays and images from the buffers of a reply. */

const MISSING = "The kernel's reply is incomplete: reload the page, so that the front end fits the kernel.";

/** Return float32 values; a copy, since a buffer of a message may start anywhere. */
export function floats(buffer: DataView | undefined): Float32Array {
  return new Float32Array(bytes(buffer));
}

/** Return int32 values, likewise. */
export function integers(buffer: DataView | undefined): Int32Array {
  return new Int32Array(bytes(buffer));
}

/** Return an encoded file or image. */
export function blob(buffer: DataView | undefined, mime: string): Blob {
  return new Blob([bytes(buffer)], { type: mime });
}

function bytes(buffer: DataView | undefined): ArrayBuffer {
  if (!buffer) throw new Error(MISSING);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) as ArrayBuffer;
}
