/** Bilinear interpolation of a map of values. */

/** Return, for each of `size` pixels, the two nearest of `count` cells and the weight of the second. Pixels beyond a border are clamped. */
function neighbours(count: number, size: number): { first: number; second: number; weight: number }[] {
  return Array.from({ length: size }, (_, pixel) => {
    const position = Math.min(count - 1, Math.max(0, ((pixel + 0.5) * count) / size - 0.5));
    const first = Math.floor(position);
    return { first, second: Math.min(count - 1, first + 1), weight: position - first };
  });
}

/**
 * Resize a map by bilinear interpolation of its values, between the centres of its cells.
 * @param values (rows, cols)
 * @returns (height, width)
 */
export function resizeBilinear(values: ArrayLike<number>, rows: number, cols: number, height: number, width: number): Float32Array {
  const resized = new Float32Array(height * width);
  const columns = neighbours(cols, width);
  neighbours(rows, height).forEach((row, y) => {
    columns.forEach((column, x) => {
      const along = (start: number) => {
        const [left, right] = [values[start + column.first] ?? 0, values[start + column.second] ?? 0];
        return left + (right - left) * column.weight;
      };
      const [upper, lower] = [along(row.first * cols), along(row.second * cols)];
      resized[y * width + x] = upper + (lower - upper) * row.weight;
    });
  });
  return resized;
}
