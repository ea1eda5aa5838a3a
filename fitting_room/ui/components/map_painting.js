// How a map is painted on its canvas: many points straight into the pixels, a few milliseconds for
// 42,000; few as discs, and where there is room as pictures.

export function paintPixels(map, rows) {
  const { width, height } = map.canvas;
  const image = map.context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const solid = map.numbers.map(([r, g, b]) => (0xe6 << 24) | (b << 16) | (g << 8) | r);
  const faint = map.numbers.map(([r, g, b]) => (0x22 << 24) | (b << 16) | (g << 8) | r);
  const size = Math.max(2, Math.round(map.ratio * Math.min(3, 1.4 + 0.5 * map.scale)));
  const step = map.pixel * map.ratio;
  const x0 = width / 2 - map.middle[0] * step - size / 2;
  const y0 = height / 2 - map.middle[1] * step - size / 2;
  for (const turn of map.only === null ? [1] : [0, 1])
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      const code = map.codes[row];
      const kept = map.only === null || code === map.only;
      if (kept !== (turn === 1)) continue;
      const x = Math.round(map.points.places[2 * row] * step + x0);
      const y = Math.round(map.points.places[2 * row + 1] * step + y0);
      if (x < 0 || y < 0 || x + size > width || y + size > height) continue;
      const colour = kept ? solid[code] : faint[code];
      for (let down = 0; down < size; down++) {
        const start = (y + down) * width + x;
        pixels.fill(colour, start, start + size);
      }
    }
  map.context.putImageData(image, 0, 0);
}

export function paintDiscs(map, rows, pictures) {
  const { context } = map;
  const radius = Math.min(7, 2.2 + Math.log2(1 + map.scale));
  const box = Math.min(64, Math.max(34, Math.sqrt((map.width * map.height) / (rows.length + 1)) * 0.5));
  for (const row of rows) {
    const [x, y] = map.screen(map.points.at(row));
    const image = pictures && map.isShown(row) ? map.previews.get(row)?.image : null;
    context.globalAlpha = map.isShown(row) ? 0.95 : 0.13;
    if (image?.complete && image.naturalWidth) {
      const scale = Math.min(box / image.naturalWidth, (box * 4) / 3 / image.naturalHeight);
      const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
      context.fillStyle = "#fff";
      context.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
      context.drawImage(image, x - w / 2, y - h / 2, w, h);
      context.strokeStyle = map.colours[map.codes[row]];
      context.lineWidth = 2;
      context.strokeRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
    } else {
      context.fillStyle = map.colours[map.codes[row]];
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

export function paintMarks(map) {
  const { context } = map;
  const style = getComputedStyle(map.root);
  const ink = style.color;
  const accent = style.getPropertyValue("--fr-accent").trim() || "#8a1c3c";
  const ring = (x, y, radius, colour, width) => {
    for (const [c, w] of [[style.getPropertyValue("--st-background-color") || "#fff", width + 3], [colour, width]]) {
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
  context.strokeStyle = getComputedStyle(map.root).color;
  context.lineWidth = 1;
  context.stroke(new Path2D(`M${width / 2 - 12} ${height / 2}h24m-12 -12v24`));
}
