// Which names and sample pictures a map shows, and where: no one covers another, so that those of
// the largest clusters come first and others when there is room for them, closer up.

const PICTURE = [42, 56]; // pixels at most, width and height
const GAP = 4;
const TILE = 84; // pixels; one sample for each tile of this size up to twice the size
const LEVELS = [2, 5]; // scales from which finer names are shown
const FINEST = 12;
const MAX_NAMES = 60;

function overlaps(a, b) {
  return a[0] < b[2] + GAP && b[0] < a[2] + GAP && a[1] < b[3] + GAP && b[1] < a[3] + GAP;
}

export class Places {
  constructor(map) {
    this.map = map;
    this.names = []; // {name, text: box, picture: box or null, row}
    this.samples = []; // {row, picture: box}
    this.forget();
  }

  forget() {
    this.key = null;
    this.widths = new Map();
  }

  width(text) {
    const { context } = this.map;
    if (!this.widths.has(text)) this.widths.set(text, context.measureText(text).width);
    return this.widths.get(text);
  }

  // Lay out what is in view. `font` is the one that names are drawn in.
  lay(font) {
    const { map } = this;
    map.context.font = font;
    const taken = [];
    const free = (box) => !taken.some((other) => overlaps(box, other));
    this.names = [];
    this.samples = [];
    const level = LEVELS.filter((scale) => map.scale >= scale).length;
    for (const name of map.names) {
      const [from, to] = name.levels;
      if (level < from || level > to || this.names.length >= MAX_NAMES) continue;
      if (map.only !== null && map.codes[name.row] !== map.only) continue;
      const [at, y] = map.screen(name.place);
      if (at < -60 || y < -60 || at > map.width + 60 || y > map.height + 60) continue;
      const half = this.width(name.text) / 2 + 5;
      // Of a place that is in view the name is, too.
      const inside = at > 0 && at < map.width && 2 * half < map.width;
      const x = inside ? Math.max(half, Math.min(map.width - half, at)) : at;
      const text = [x - half, y - 10, x + half, y + 10];
      const beside = 14 + PICTURE[1] / 2; // above the name, or below at the upper edge
      const picture = this.box(name.row, x, y + (y < 2 * beside && y > 0 ? beside : -beside));
      if (picture && free(text) && free(picture)) {
        taken.push(text, picture);
        this.names.push({ name, text, picture, row: name.row });
      } else if (free(text)) {
        taken.push(text);
        this.names.push({ name, text, picture: null, row: name.row });
      }
    }
    const shown = new Set(this.names.filter(({ picture }) => picture).map(({ row }) => row));
    for (const row of this.rows()) {
      const [x, y] = map.screen(map.points.at(row));
      if (x < 0 || y < 0 || x > map.width || y > map.height || shown.has(row)) continue;
      const picture = this.box(row, x, y);
      if (!free(picture)) continue;
      taken.push(picture);
      this.samples.push({ row, picture });
    }
  }

  // The box of a picture around a place, in the picture's own proportions where they are known.
  box(row, x, y) {
    const image = this.map.previews.get(row)?.image;
    let [w, h] = PICTURE;
    if (image?.naturalWidth) {
      const scale = Math.min(w / image.naturalWidth, h / image.naturalHeight);
      [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
    }
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
  }

  // The rows whose pictures stand for their tiles. Tiles belong to the map and not to the screen:
  // while it is moved the samples stay.
  rows() {
    const { map } = this;
    const level = Math.floor(Math.log2((map.pixel * 65536) / TILE));
    const size = 65536 / 2 ** Math.max(0, Math.min(FINEST, level));
    const corners = [...map.place(0, 0), ...map.place(map.width, map.height)];
    const view = corners.map((v) => Math.floor(Math.max(0, Math.min(65535, v)) / size));
    const key = [size, view, map.only].join();
    if (this.key !== key) {
      this.key = key;
      this.kept = map.points.middles(size, view, map.codes, map.only);
    }
    return this.kept;
  }

  // Rows whose pictures are shown or would be.
  wanted() {
    return [...this.names, ...this.samples].filter(({ picture }) => picture).map(({ row }) => row);
  }

  // What is drawn at a place of the screen: {row} of a picture or {name}.
  at(x, y) {
    const inside = (box) => box && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
    for (const { name, text, picture, row } of this.names) {
      if (inside(text)) return { name };
      if (inside(picture)) return { row };
    }
    const sample = this.samples.find(({ picture }) => inside(picture));
    return sample ? { row: sample.row } : null;
  }
}
