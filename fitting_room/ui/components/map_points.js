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

  // Rows within a rectangle of the map.
  within(left, top, right, bottom) {
    const { side, starts, rows } = this.cells();
    const clamp = (v) => Math.max(0, Math.min(side - 1, Math.floor((v * side) / 65536)));
    const inside = [];
    for (let i = clamp(left); i <= clamp(right); i++)
      for (let at = starts[i * side + clamp(top)]; at < starts[i * side + clamp(bottom) + 1]; at++) {
        const row = rows[at];
        const [x, y] = this.at(row);
        if (x >= left && x <= right && y >= top && y <= bottom) inside.push(row);
      }
    return inside;
  }

  // Rows no farther from a place than a number of units, the nearest first.
  around([x, y], reach) {
    return this.within(x - reach, y - reach, x + reach, y + reach)
      .map((row) => [row, Math.hypot(this.places[2 * row] - x, this.places[2 * row + 1] - y)])
      .filter(([, distance]) => distance <= reach)
      .sort((a, b) => a[1] - b[1])
      .map(([row]) => row);
  }
}
