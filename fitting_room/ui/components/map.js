// The map of a catalogue: tens of thousands of points on a plain canvas, which every browser has.
// Pictures and names are requested with the event "fr-request" and come with "fr-previews" (see
// previews.js).

import { listen } from "./map_gestures.js";
import { paintCross, paintDiscs, paintMarks, paintPixels } from "./map_painting.js";
import { decode, Points, UNITS } from "./map_points.js";

const PICTURES_BELOW = 60; // points in view, from which pictures are shown instead
const DISCS_BELOW = 5000;
const MAX_PREVIEWS = 80;
const PREVIEWS_KEPT = 600;
const RETRY_AFTER = 2000; // milliseconds after which a request is made again

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
    listen(this);
  }

  // --- data ----------------------------------------------------------------------------------

  show(data, pick) {
    this.pick = pick;
    if (this.source !== data.points) {
      this.source = data.points;
      this.points = new Points(data.points, data.count);
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

  // Rows that are shown and no farther from a place of the map than a number of pixels, the nearest
  // first.
  around(place, pixels) {
    return this.points.around(place, pixels / this.pixel).filter((row) => this.isShown(row));
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
    const inView = this.points.within(left, top, right, bottom);
    this.inView = inView;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const pictures = inView.length <= PICTURES_BELOW && this.scale > 1.5;
    if (inView.length > DISCS_BELOW) paintPixels(this, inView);
    else {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      paintDiscs(this, inView, pictures);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    paintMarks(this);
    if (document.activeElement === this.canvas && this.byKeyboard) paintCross(this);
    this.root.dataset.view = pictures ? "pictures" : "points";
    this.root.dataset.inView = inView.length;
    if (pictures) {
      const missing = inView.filter((row) => !this.previews.has(row));
      if (missing.length) this.request(this.over >= 0 ? [this.over, ...missing] : missing);
    }
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
      this.request([row, ...this.around(this.points.at(row), 60).slice(0, 16)]);
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
    const [x, y] = this.screen(this.points.at(this.over));
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
