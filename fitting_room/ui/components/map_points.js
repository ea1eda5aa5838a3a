// The points of a map: where each row lies, and which rows lie within a part of it.

export const UNITS = 65535; // places are in steps of this part of the map

export function decode(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

export class Points {
  constructor(text, count) {
    this.places = new Uint16Array(decode(text).buffer);
    this.count = count;
  }

  at(row) {
    return [this.places[2 * row], this.places[2 * row + 1]];
  }

  // Points by cell of a coarse grid, so that those around a place are listed at once.
  cells() {
    if (this.grid) return this.grid;
    const side = 128;
    const starts = new Uint32Array(side * side + 1);
    const cell = (row) =>
      ((this.places[2 * row] * side) >> 16) * side + ((this.places[2 * row + 1] * side) >> 16);
    for (let row = 0; row < this.count; row++) starts[cell(row) + 1]++;
    for (let i = 0; i < side * side; i++) starts[i + 1] += starts[i];
    const next = starts.slice();
    const rows = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row++) rows[next[cell(row)]++] = row;
    this.grid = { side, starts, rows };
    return this.grid;
  }

  // Rows within a rectangle of the map, as a typed array.
  within(left, top, right, bottom) {
    const { places } = this;
    const { side, starts, rows } = this.cells();
    const clamp = (v) => Math.max(0, Math.min(side - 1, Math.floor((v * side) / 65536)));
    const [low, high] = [clamp(top), clamp(bottom) + 1];
    let most = 0;
    for (let i = clamp(left); i <= clamp(right); i++)
      most += starts[i * side + high] - starts[i * side + low];
    const inside = new Uint32Array(most);
    let count = 0;
    for (let i = clamp(left); i <= clamp(right); i++)
      for (let at = starts[i * side + low]; at < starts[i * side + high]; at++) {
        const row = rows[at];
        const x = places[2 * row];
        const y = places[2 * row + 1];
        if (x >= left && x <= right && y >= top && y <= bottom) inside[count++] = row;
      }
    return inside.subarray(0, count);
  }

  // Of each of the tiles that are `size` wide and high, and lie within these numbers of tiles, the
  // row closest to the middle of its rows, of those with one code only unless it is null; those of
  // the fullest tiles first.
  middles(size, [left, top, right, bottom], codes, only) {
    const { places } = this;
    const across = right - left + 1;
    const rows = this.within(left * size, top * size, (right + 1) * size - 1, (bottom + 1) * size - 1);
    const tiles = across * (bottom - top + 1);
    const tile = (row) =>
      Math.floor(places[2 * row + 1] / size - top) * across + Math.floor(places[2 * row] / size - left);
    const [counts, xs, ys] = [0, 0, 0].map(() => new Float64Array(tiles));
    const nearest = new Float64Array(tiles).fill(Infinity);
    const chosen = new Int32Array(tiles).fill(-1);
    for (const row of rows) {
      if (only !== null && codes[row] !== only) continue;
      const at = tile(row);
      counts[at]++;
      xs[at] += places[2 * row];
      ys[at] += places[2 * row + 1];
    }
    for (const row of rows) {
      if (only !== null && codes[row] !== only) continue;
      const at = tile(row);
      const [x, y] = [xs[at] / counts[at], ys[at] / counts[at]];
      const away = (places[2 * row] - x) ** 2 + (places[2 * row + 1] - y) ** 2;
      if (away < nearest[at]) {
        nearest[at] = away;
        chosen[at] = row;
      }
    }
    const order = [...chosen.keys()].filter((at) => chosen[at] >= 0);
    return order.sort((a, b) => counts[b] - counts[a] || a - b).map((at) => chosen[at]);
  }

  // Rows no farther from a place than a number of units, the nearest first.
  around([x, y], reach) {
    return [...this.within(x - reach, y - reach, x + reach, y + reach)]
      .map((row) => [row, Math.hypot(this.places[2 * row] - x, this.places[2 * row + 1] - y)])
      .filter(([, distance]) => distance <= reach)
      .sort((a, b) => a[1] - b[1])
      .map(([row]) => row);
  }
}
