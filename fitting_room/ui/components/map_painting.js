// How a map is painted on its canvas: many points straight into the pixels, a few milliseconds for
// 42,000; few as discs, and where there is room as pictures.

const MAX_PIXELS = 900_000;

function rgb(colour) {
  const number = parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

function numbers(map) {
  return map.colours.map((_, code) => rgb(map.colourOf(code)));
}

// A picture of the points alone, with no more pixels than can be filled many times a second.
function layerOf(map) {
  map.layer ??= { canvas: document.createElement("canvas") };
  const { layer } = map;
  const ratio = Math.min(map.ratio, Math.sqrt(MAX_PIXELS / (map.width * map.height)));
  const [width, height] = [Math.round(map.width * ratio), Math.round(map.height * ratio)];
  if (layer.canvas.width !== width || layer.canvas.height !== height || !layer.image) {
    Object.assign(layer.canvas, { width, height });
    layer.context = layer.canvas.getContext("2d");
    layer.image = layer.context.createImageData(width, height);
    layer.pixels = new Uint32Array(layer.image.data.buffer);
  }
  layer.pixels.fill(0);
  return { ...layer, ratio, width, height };
}

export function paintPixels(map, rows) {
  const { canvas, context, image, pixels, ratio, width, height } = layerOf(map);
  const { places } = map.points;
  const { codes, only } = map;
  const colours = numbers(map);
  const solid = colours.map(([r, g, b]) => (0xe6 << 24) | (b << 16) | (g << 8) | r);
  const faint = colours.map(([r, g, b]) => (0x22 << 24) | (b << 16) | (g << 8) | r);
  const size = Math.max(2, Math.round(ratio * Math.min(3, 1.4 + 0.5 * map.scale)));
  const step = map.pixel * ratio;
  const x0 = width / 2 - map.middle[0] * step - size / 2 + 0.5;
  const y0 = height / 2 - map.middle[1] * step - size / 2 + 0.5;
  for (const turn of only === null ? [1] : [0, 1])
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      const code = codes[row];
      const kept = only === null || code === only;
      if (kept !== (turn === 1)) continue;
      const x = (places[2 * row] * step + x0) | 0;
      const y = (places[2 * row + 1] * step + y0) | 0;
      if (x < 0 || y < 0 || x + size > width || y + size > height) continue;
      const colour = kept ? solid[code] : faint[code];
      for (let start = y * width + x, down = 0; down < size; down++, start += width)
        for (let at = start; at < start + size; at++) pixels[at] = colour;
    }
  context.putImageData(image, 0, 0);
  map.context.drawImage(canvas, 0, 0, map.width, map.height);
}

export function paintDiscs(map, rows, pictures) {
  const { context, points, pixel, codes } = map;
  const radius = Math.min(7, 2.2 + Math.log2(1 + map.scale));
  const box = Math.min(64, Math.max(34, Math.sqrt((map.width * map.height) / (rows.length + 1)) * 0.5));
  const x0 = map.width / 2 - map.middle[0] * pixel;
  const y0 = map.height / 2 - map.middle[1] * pixel;
  const byCode = new Map();
  for (const row of rows) {
    const image = pictures && map.isShown(row) ? loaded(map, row) : null;
    if (image) continue;
    const code = codes[row];
    if (!byCode.has(code)) byCode.set(code, []);
    byCode.get(code).push(row);
  }
  // One path a colour is many times as fast as one a point.
  const order = [...byCode.keys()].sort((a, b) => (a === map.only) - (b === map.only) || b - a);
  for (const code of order) {
    context.globalAlpha = map.only === null || map.only === code ? 0.95 : 0.13;
    context.fillStyle = map.colourOf(code);
    context.beginPath();
    for (const row of byCode.get(code)) {
      const x = points.places[2 * row] * pixel + x0;
      const y = points.places[2 * row + 1] * pixel + y0;
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 7);
    }
    context.fill();
  }
  context.globalAlpha = 1;
  map.pictured = [];
  if (!pictures) return;
  for (const row of rows) {
    const image = map.isShown(row) ? loaded(map, row) : null;
    if (!image) continue;
    const scale = Math.min(box / image.naturalWidth, (box * 4) / 3 / image.naturalHeight);
    const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
    const [x, y] = map.screen(points.at(row));
    const at = [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
    paintPicture(map, row, image, at);
    map.pictured.push({ row, box: at });
  }
}

function loaded(map, row) {
  const image = map.previews.get(row)?.image;
  return image?.complete && image.naturalWidth ? image : null;
}

function paintPicture(map, row, image, [left, top, right, bottom]) {
  const { context } = map;
  context.fillStyle = "#fff";
  context.fillRect(left - 1.5, top - 1.5, right - left + 3, bottom - top + 3);
  context.drawImage(image, left, top, right - left, bottom - top);
  context.strokeStyle = map.colourOf(map.codes[row]);
  context.lineWidth = 2;
  context.strokeRect(left - 1.5, top - 1.5, right - left + 3, bottom - top + 3);
}

// Names of clusters with a picture above each, and pictures of others, as they were laid out (see
// map_places.js).
export function paintPlaces(map) {
  const { context, places, style } = map;
  for (const { row, picture } of [...places.samples, ...places.names]) {
    const image = picture && loaded(map, row);
    if (image) paintPicture(map, row, image, picture);
  }
  context.font = style.font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 5;
  for (const { name, text: box } of places.names) {
    const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    context.strokeStyle = style.ground;
    context.strokeText(name.text, x, y);
    context.fillStyle = map.overName === name ? style.accent : style.ink;
    context.fillText(name.text, x, y);
  }
}

// The part that is listed below, and the one that is being drawn.
export function paintPart(map) {
  const { context, style } = map;
  const { part, drawn } = map.chooser;
  const boxes = [];
  if (part) boxes.push([...map.screen(part.slice(0, 2)), ...map.screen(part.slice(2))]);
  if (drawn) boxes.push(drawn.flat());
  for (const [x0, y0, x1, y1] of boxes)
    for (const [colour, width, dash] of [[style.ground, 4, []], [style.accent, 2, [7, 5]]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.setLineDash(dash);
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
      context.setLineDash([]);
    }
}

export function paintMarks(map) {
  const { context } = map;
  const { ink, accent, ground } = map.style;
  const ring = (x, y, radius, colour, width) => {
    for (const [c, w] of [[ground, width + 3], [colour, width]]) {
      context.strokeStyle = c;
      context.lineWidth = w;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.stroke();
    }
  };
  for (const row of map.marks.matches)
    ring(...map.screen(map.points.at(row)), 6, ink, 1.6);
  for (const place of [...map.marks.query.map((row) => map.points.at(row)), ...map.marks.own]) {
    const at = map.screen(place);
    ring(...at, 11, accent, 3);
    context.fillStyle = accent;
    context.beginPath();
    context.arc(...at, 4, 0, 7);
    context.fill();
  }
  if (map.over >= 0)
    ring(...map.screen(map.points.at(map.over)), 9, accent, 2);
}

export function paintCross(map) {
  const { context, width, height } = map;
  context.strokeStyle = map.style.ink;
  context.lineWidth = 1;
  context.stroke(new Path2D(`M${width / 2 - 12} ${height / 2}h24m-12 -12v24`));
}
