// The map of a catalogue: tens of thousands of points on a plain canvas, which every browser has.
//
// Many points are written straight into the picture's pixels, a few milliseconds for 42,000; where
// few are in view they are drawn as discs, and where there is room as pictures. Pictures and names
// are requested with the event "fr-request" and come with "fr-previews" (see previews.js).

const UNITS = 65535; // places are in steps of this part of the map
const PICTURES_BELOW = 60; // points in view, from which pictures are shown instead
const DISCS_BELOW = 5000;
const MAX_PREVIEWS = 80;
const PREVIEWS_KEPT = 600;
const RETRY_AFTER = 2000; // milliseconds after which a request is made again

function decode(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function rgb(colour) {
  const number = parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

class EmbeddingMap {
  constructor(root) {
    this.root = root;
    this.frame = element("div", "fr-map-frame");
    this.canvas = element("canvas");
    Object.assign(this.canvas, { tabIndex: 0, role: "application", ariaRoleDescription: "map" });
    this.tip = element("div", "fr-map-tip");
    this.live = element("div", "fr-map-live");
    this.live.setAttribute("aria-live", "polite");
    this.tools = element("div", "fr-map-tools");
    for (const [sign, name, act] of [
      ["+", "Zoom in", () => this.zoom(1.6)],
      ["−", "Zoom out", () => this.zoom(1 / 1.6)],
      ["⤢", "Show the whole map", () => this.reset()],
    ]) {
      const button = element("button", "", sign);
      Object.assign(button, { type: "button", title: name, ariaLabel: name, onclick: act });
      this.tools.append(button);
    }
    this.legend = element("ul", "fr-map-legend");
    this.keys = element(
      "p",
      "fr-map-keys",
      "Drag to move, scroll or pinch to zoom. With the keyboard: arrows move, + and − zoom, " +
        "Enter takes the item in the middle, 0 shows all.",
    );
    this.frame.append(this.canvas, this.tools, this.tip, this.live);
    root.append(this.frame, this.legend, this.keys);
    this.context = this.canvas.getContext("2d");
    this.scale = 1; // 1 shows the whole map
    this.middle = [UNITS / 2, UNITS / 2];
    this.previews = new Map();
    this.wanted = [];
    this.waiting = false;
    this.only = null;
    this.over = -1;
    this.pointers = new Map();
    this.listen();
  }

  // --- data ----------------------------------------------------------------------------------

  show(data, pick) {
    this.pick = pick;
    if (this.source !== data.points) {
      this.source = data.points;
      this.points = new Uint16Array(decode(data.points).buffer);
      this.count = data.count;
      this.grid = null;
    }
    if (this.codeSource !== data.codes || this.colourSource !== data.colours.join()) {
      this.codeSource = data.codes;
      this.colourSource = data.colours.join();
      this.codes = decode(data.codes);
      this.colours = data.colours;
      this.numbers = data.colours.map(rgb);
      this.only = null;
      this.makeLegend(data);
    }
    this.marks = data.marks;
    this.canvas.setAttribute("aria-label", `${data.label}. ${this.keys.textContent}`);
    this.draw();
  }

  makeLegend(data) {
    this.legend.replaceChildren(
      ...data.labels.map((name, code) => {
        const item = element("li");
        const button = element("button");
        const title = `Show ${name} only`;
        Object.assign(button, { type: "button", title, ariaPressed: "false" });
        const dot = element("span", "fr-map-dot");
        dot.style.background = data.colours[code];
        dot.setAttribute("aria-hidden", "true");
        const count = element("span", "fr-map-count", data.counts[code].toLocaleString("en"));
        button.append(dot, element("span", "", name), count);
        button.onclick = () => {
          this.only = this.only === code ? null : code;
          for (const [place, other] of [...this.legend.querySelectorAll("button")].entries()) {
            other.setAttribute("aria-pressed", String(this.only === place));
          }
          this.draw();
        };
        item.append(button);
        return item;
      }),
    );
  }

  // --- from the map to the screen and back ----------------------------------------------------

  measure() {
    const box = this.canvas.getBoundingClientRect(); // the same that pointers are measured by
    this.width = Math.max(1, box.width);
    this.height = Math.max(1, box.height);
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    const [w, h] = [Math.round(this.width * this.ratio), Math.round(this.height * this.ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.draw();
    }
    // The shorter side shows the whole map, with a margin.
    this.pixel = (Math.min(this.width, this.height) / UNITS) * 0.94 * this.scale;
  }

  screen([x, y]) {
    return [
      (x - this.middle[0]) * this.pixel + this.width / 2,
      (y - this.middle[1]) * this.pixel + this.height / 2,
    ];
  }

  place(x, y) {
    return [
      (x - this.width / 2) / this.pixel + this.middle[0],
      (y - this.height / 2) / this.pixel + this.middle[1],
    ];
  }

  isShown(row) {
    return this.only === null || this.codes[row] === this.only;
  }

  // Points by cell of a coarse grid, so that those around a place are listed at once.
  cells() {
    if (this.grid) return this.grid;
    const side = 128;
    const starts = new Uint32Array(side * side + 1);
    const cell = (row) =>
      ((this.points[2 * row] * side) >> 16) * side + ((this.points[2 * row + 1] * side) >> 16);
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
        const [x, y] = [this.points[2 * row], this.points[2 * row + 1]];
        if (x >= left && x <= right && y >= top && y <= bottom) inside.push(row);
      }
    return inside;
  }

  point(row) {
    return [this.points[2 * row], this.points[2 * row + 1]];
  }

  // Rows that are shown and no farther from a place of the map than a number of pixels, the nearest
  // first.
  around([x, y], pixels) {
    const reach = pixels / this.pixel;
    return this.within(x - reach, y - reach, x + reach, y + reach)
      .filter((row) => this.isShown(row))
      .map((row) => [row, Math.hypot(this.points[2 * row] - x, this.points[2 * row + 1] - y)])
      .filter(([, distance]) => distance <= reach)
      .sort((a, b) => a[1] - b[1])
      .map(([row]) => row);
  }

  nearest(x, y, pixels) {
    return this.around(this.place(x, y), pixels)[0] ?? -1;
  }

  // --- drawing --------------------------------------------------------------------------------

  draw() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = null;
      if (!this.points || !this.root.isConnected) return;
      const started = performance.now();
      this.paint();
      this.root.dataset.milliseconds = (performance.now() - started).toFixed(1);
    });
  }

  paint() {
    this.measure();
    const { context, ratio } = this;
    const [left, top] = this.place(0, 0);
    const [right, bottom] = this.place(this.width, this.height);
    const inView = this.within(left, top, right, bottom);
    this.inView = inView;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const pictures = inView.length <= PICTURES_BELOW && this.scale > 1.5;
    if (inView.length > DISCS_BELOW) this.paintPixels(inView);
    else {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.paintDiscs(inView, pictures);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.paintMarks();
    if (document.activeElement === this.canvas && this.byKeyboard) this.paintCross();
    this.root.dataset.view = pictures ? "pictures" : "points";
    this.root.dataset.inView = inView.length;
    if (pictures) {
      const missing = inView.filter((row) => !this.previews.has(row));
      if (missing.length) this.request(this.over >= 0 ? [this.over, ...missing] : missing);
    }
  }

  paintPixels(rows) {
    const { width, height } = this.canvas;
    const image = this.context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const solid = this.numbers.map(([r, g, b]) => (0xe6 << 24) | (b << 16) | (g << 8) | r);
    const faint = this.numbers.map(([r, g, b]) => (0x22 << 24) | (b << 16) | (g << 8) | r);
    const size = Math.max(2, Math.round(this.ratio * Math.min(3, 1.4 + 0.5 * this.scale)));
    const step = this.pixel * this.ratio;
    const x0 = width / 2 - this.middle[0] * step - size / 2;
    const y0 = height / 2 - this.middle[1] * step - size / 2;
    for (const turn of this.only === null ? [1] : [0, 1])
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i];
        const code = this.codes[row];
        const kept = this.only === null || code === this.only;
        if (kept !== (turn === 1)) continue;
        const x = Math.round(this.points[2 * row] * step + x0);
        const y = Math.round(this.points[2 * row + 1] * step + y0);
        if (x < 0 || y < 0 || x + size > width || y + size > height) continue;
        const colour = kept ? solid[code] : faint[code];
        for (let down = 0; down < size; down++) {
          const start = (y + down) * width + x;
          pixels.fill(colour, start, start + size);
        }
      }
    this.context.putImageData(image, 0, 0);
  }

  paintDiscs(rows, pictures) {
    const { context } = this;
    const radius = Math.min(7, 2.2 + Math.log2(1 + this.scale));
    const box = Math.min(64, Math.max(34, Math.sqrt((this.width * this.height) / (rows.length + 1)) * 0.5));
    for (const row of rows) {
      const [x, y] = this.screen(this.point(row));
      const image = pictures && this.isShown(row) ? this.previews.get(row)?.image : null;
      context.globalAlpha = this.isShown(row) ? 0.95 : 0.13;
      if (image?.complete && image.naturalWidth) {
        const scale = Math.min(box / image.naturalWidth, (box * 4) / 3 / image.naturalHeight);
        const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
        context.fillStyle = "#fff";
        context.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
        context.drawImage(image, x - w / 2, y - h / 2, w, h);
        context.strokeStyle = this.colours[this.codes[row]];
        context.lineWidth = 2;
        context.strokeRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
      } else {
        context.fillStyle = this.colours[this.codes[row]];
        context.beginPath();
        context.arc(x, y, radius, 0, 7);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }

  paintMarks() {
    const { context } = this;
    const style = getComputedStyle(this.root);
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
    for (const row of this.marks.matches)
      ring(...this.screen(this.point(row)), 6, ink, 1.6);
    for (const place of [...this.marks.query.map((row) => this.point(row)), ...this.marks.own]) {
      const at = this.screen(place);
      ring(...at, 11, accent, 3);
      context.fillStyle = accent;
      context.beginPath();
      context.arc(...at, 4, 0, 7);
      context.fill();
    }
    if (this.over >= 0)
      ring(...this.screen(this.point(this.over)), 9, accent, 2);
  }

  paintCross() {
    const { context, width, height } = this;
    context.strokeStyle = getComputedStyle(this.root).color;
    context.lineWidth = 1;
    context.stroke(new Path2D(`M${width / 2 - 12} ${height / 2}h24m-12 -12v24`));
  }

  // --- pictures -------------------------------------------------------------------------------

  // One request at a time: the server answers the latest, and one that gets lost is made again.
  request(rows) {
    this.wanted = rows;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), this.waiting ? RETRY_AFTER : 60);
  }

  send() {
    const rows = this.wanted.filter((row) => !this.previews.has(row)).slice(0, MAX_PREVIEWS);
    if (!rows.length) return;
    this.waiting = true;
    window.dispatchEvent(new CustomEvent("fr-request", { detail: rows }));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), RETRY_AFTER);
  }

  receive(previews) {
    for (const { row, name, src } of previews) {
      const image = src ? new Image() : null;
      if (image) {
        image.onload = () => this.draw();
        image.src = src;
      }
      this.previews.set(row, { name, image });
    }
    this.waiting = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), 0);
    while (this.previews.size > PREVIEWS_KEPT) this.previews.delete(this.previews.keys().next().value);
    this.showTip();
    this.draw();
  }

  // A message that comes while the page is being drawn can get lost. Where the map is still there
  // after a while, it did.
  take(row, tries = 3) {
    clearTimeout(this.taking);
    this.pick(row);
    if (tries > 1) this.taking = setTimeout(() => this.take(row, tries - 1), RETRY_AFTER);
  }

  hover(row) {
    if (row !== this.over) {
      this.over = row;
      this.canvas.classList.toggle("fr-pointing", row >= 0);
      this.showTip();
      this.draw();
    }
    // Those around it will be pointed at next.
    if (row >= 0 && !this.previews.has(row))
      this.request([row, ...this.around(this.point(row), 60).slice(0, 16)]);
  }

  showTip() {
    const preview = this.previews.get(this.over);
    if (!preview) {
      this.tip.style.display = "none";
      return;
    }
    const parts = [];
    if (preview.image) {
      const image = element("img");
      image.src = preview.image.src;
      image.alt = "";
      parts.push(image);
    }
    parts.push(element("span", "", preview.name));
    this.tip.replaceChildren(...parts);
    if (this.byKeyboard) this.live.textContent = preview.name;
    this.tip.style.display = "block";
    const [x, y] = this.screen(this.point(this.over));
    const right = x + 16 + this.tip.offsetWidth < this.width;
    this.tip.style.left = `${right ? x + 16 : Math.max(4, x - 16 - this.tip.offsetWidth)}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y - 30, this.height - this.tip.offsetHeight - 4))}px`;
  }

  // --- moving about ---------------------------------------------------------------------------

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const before = this.place(x, y);
    this.scale = Math.max(0.8, Math.min(400, this.scale * factor));
    this.measure();
    const after = this.place(x, y);
    this.move(before[0] - after[0], before[1] - after[1]);
  }

  move(x, y) {
    const clamp = (v) => Math.max(0, Math.min(UNITS, v));
    this.middle = [clamp(this.middle[0] + x), clamp(this.middle[1] + y)];
    this.showTip();
    this.draw();
  }

  reset() {
    this.scale = 1;
    this.middle = [UNITS / 2, UNITS / 2];
    this.hover(-1);
    this.draw();
  }

  listen() {
    const { canvas, pointers } = this;
    const at = (event) => {
      this.measure(); // the page may have changed since the last drawing
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      this.zoom(Math.exp(-event.deltaY * lines * 0.0022), ...at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.byKeyboard = false;
      pointers.set(event.pointerId, at(event));
      this.moved = pointers.size > 1;
      this.from = at(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = at(event);
      const before = pointers.get(event.pointerId);
      if (!before) {
        if (this.points) this.hover(this.nearest(...now, 14));
        return;
      }
      if (pointers.size === 2) {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
        const gap = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
        this.zoom(gap(now) / gap(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      if (Math.hypot(now[0] - this.from[0], now[1] - this.from[1]) > 5) this.moved = true;
      if (this.moved) {
        canvas.classList.add("fr-dragging");
        const part = 1 / pointers.size;
        this.move(
          ((before[0] - now[0]) / this.pixel) * part,
          ((before[1] - now[1]) / this.pixel) * part,
        );
      }
      pointers.set(event.pointerId, now);
    });
    const up = (event) => {
      const held = pointers.delete(event.pointerId);
      canvas.classList.remove("fr-dragging");
      if (event.type !== "pointerup" || !held || this.moved || !this.points) return;
      const touch = event.pointerType === "touch";
      const row = this.nearest(...at(event), touch ? 24 : 14);
      // A finger cannot point without touching: the first touch shows, the second one takes.
      if (touch && row !== this.over) this.hover(row);
      else if (row >= 0) this.take(row);
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    // A finger leaves whenever it is lifted; what it has shown stays.
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch" && !pointers.size) this.hover(-1);
    });
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.draw());
    canvas.addEventListener("keydown", (event) => {
      const step = 0.12 * Math.min(this.width, this.height) / this.pixel;
      const acts = {
        ArrowLeft: () => this.move(-step, 0),
        ArrowRight: () => this.move(step, 0),
        ArrowUp: () => this.move(0, -step),
        ArrowDown: () => this.move(0, step),
        "+": () => this.zoom(1.6),
        "=": () => this.zoom(1.6),
        "-": () => this.zoom(1 / 1.6),
        0: () => this.reset(),
        Enter: () => this.over >= 0 && this.take(this.over),
      };
      if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.byKeyboard = true;
      acts[event.key]();
      if (event.key !== "Enter")
        this.hover(this.nearest(this.width / 2, this.height / 2, 0.6 * this.width));
    });
    this.onPreviews = (event) => this.receive(event.detail);
    window.addEventListener("fr-previews", this.onPreviews);
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.frame);
  }

  close() {
    window.removeEventListener("fr-previews", this.onPreviews);
    this.sizes.disconnect();
    clearTimeout(this.timer);
    clearTimeout(this.taking);
    this.root.replaceChildren();
    delete this.root.frMap;
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".fr-map");
  root.frMap ??= new EmbeddingMap(root);
  const map = root.frMap;
  map.show(data, (row) => setTriggerValue("pick", row));
  // Also called before the next run of this function; then there is nothing to clear away.
  return () => setTimeout(() => root.isConnected || map.close());
}
