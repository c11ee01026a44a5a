/** Arrays out of an answer's buffers. */

/**
 * @param {DataView} view
 * @returns {ArrayBuffer} a copy that starts at a multiple of four bytes, as typed arrays want
 */
export function aligned(view) {
  return /** @type {ArrayBuffer} */ (view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}
