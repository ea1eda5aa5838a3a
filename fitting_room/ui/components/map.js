// The map of a catalogue: tens of thousands of points on a plain canvas, which every browser has.
// Pictures and names are requested with the event "fr-request" and come with "fr-previews" (see
// previews.js).

import { element } from "./element.js";
import { iconButton } from "./map_buttons.js";
import { listen } from "./map_gestures.js";
import { Legend } from "./map_legend.js";
import { paintCross, paintDiscs, paintMarks, paintPart, paintPixels, paintPlaces } from "./map_painting.js";
import { PartChooser } from "./map_part.js";
import { Places } from "./map_places.js";
import { decode, Points, UNITS } from "./map_points.js";

const PICTURES_BELOW = 60; // points in view, from which pictures are shown instead
const DISCS_BELOW = 2500;
const MAX_PREVIEWS = 80;
const PREVIEWS_KEPT = 600;
const DEEPEST = 400; // the scale at most
const FLIGHT = 280; // milliseconds
const RETRY_AFTER = 2000; // milliseconds after which a request is made again

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
    this.tools.append(
      iconButton("add", "Zoom in", () => this.zoom(1.6)),
      iconButton("remove", "Zoom out", () => this.zoom(1 / 1.6)),
      iconButton("zoom_out_map", "Show the whole map", () => this.reset()),
    );
    this.legend = new Legend((code) => this.showOnly(this.only === code ? null : code));
    this.chooser = new PartChooser(this);
    this.keys = element(
      "p",
      "fr-map-keys",
      "Drag to move, scroll or pinch to zoom, click a name to go there; with Shift, drag to choose a " +
        "part. With the keyboard: arrows move, + and − zoom, N goes to the next name, Enter takes " +
        "the item in the middle, 0 shows all.",
    );
    this.frame.append(this.canvas, this.tools, this.tip, this.live);
    root.append(this.legend.root, this.frame, this.chooser.bar, this.keys);
    this.context = this.canvas.getContext("2d");
    this.scale = 1; // 1 shows the whole map
    this.middle = [UNITS / 2, UNITS / 2];
    this.previews = new Map();
    this.wanted = [];
    this.waiting = false;
    this.only = null;
    this.over = -1;
    this.overName = null;
    this.pictured = [];
    this.places = new Places(this);
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
    if (this.codeSource !== data.codes || this.labelSource !== data.labels.join()) {
      this.codeSource = data.codes;
      this.labelSource = data.labels.join();
      this.codes = decode(data.codes);
      this.labels = data.labels;
      this.colours = data.colours;
      this.coloured = data.coloured;
      this.only = null;
      this.legend.show(data);
    }
    this.names = data.names;
    this.places.forget();
    this.marks = data.marks;
    this.canvas.setAttribute("aria-label", `${data.label}. ${this.keys.textContent}`);
    if (!this.begun) {
      this.begun = true;
      this.chooser.begin();
    }
    this.draw();
  }

  // Show the items of one value alone, or with null all.
  showOnly(code) {
    this.only = code !== null && code < this.labels.length ? code : null;
    this.legend.press(this.only);
    this.draw();
  }

  // The colour of a value. One that shares its grey with others stands out while it is alone.
  colourOf(code) {
    return code === this.only && code >= this.coloured ? this.style.accent : this.colours[code];
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

  // What is pointed at: {row}, of a point or of a picture, or the {name} of a cluster, or {}.
  pointed(x, y, pixels) {
    if (this.root.dataset.view !== "pictures")
      return this.places.at(x, y) ?? this.row(this.nearest(x, y, pixels));
    const row = this.nearest(x, y, pixels);
    const inside = ({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
    return this.row(row >= 0 ? row : (this.pictured.findLast(inside)?.row ?? -1));
  }

  row(row) {
    return row >= 0 ? { row } : {};
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
    this.readStyle();
    const { context, ratio } = this;
    const inView = this.points.within(...this.place(0, 0), ...this.place(this.width, this.height));
    this.inView = inView;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const pictures = inView.length <= PICTURES_BELOW && this.scale > 1.5;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (inView.length > DISCS_BELOW) paintPixels(this, inView);
    else paintDiscs(this, inView, pictures);
    if (!pictures) {
      this.places.lay(this.style.font);
      paintPlaces(this);
    }
    paintPart(this);
    paintMarks(this);
    if (document.activeElement === this.canvas && this.byKeyboard) paintCross(this);
    this.root.dataset.view = pictures ? "pictures" : "points";
    this.root.dataset.inView = inView.length;
    this.chooser.describe();
    const missing = [...(pictures ? inView : this.places.wanted())].filter((row) => !this.previews.has(row));
    if (missing.length) this.request(this.over >= 0 ? [this.over, ...missing] : missing);
  }

  // The page's colours and font, also where the system overrules them.
  readStyle() {
    const own = getComputedStyle(this.root);
    const accent = own.getPropertyValue("--fr-accent").trim() || "#8a1c3c";
    this.style = {
      ink: own.color,
      ground: getComputedStyle(this.frame).backgroundColor,
      accent: /^#[0-9a-f]{6}$/i.test(accent) ? accent : "#8a1c3c",
      font: `600 13px ${own.fontFamily}`,
    };
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

  point({ row = -1, name = null }) {
    if (name !== this.overName) {
      this.overName = name;
      this.canvas.title = name ? `Go to ${name.text}, ${name.count.toLocaleString("en")} items` : "";
      this.draw();
    }
    this.canvas.classList.toggle("fr-pointing", row >= 0 || name !== null);
    this.hover(row);
  }

  hover(row) {
    if (row !== this.over) {
      this.over = row;
      this.showTip();
      this.draw();
    }
    // Those around it will be pointed at next.
    if (row >= 0 && !this.previews.has(row))
      this.request([row, ...this.around(this.points.at(row), 60).slice(0, 16)]);
  }

  // What is pointed at: its value at once, its name and picture once they are there.
  showTip() {
    this.tip.style.display = this.over < 0 ? "none" : "block";
    if (this.over < 0) return;
    const preview = this.previews.get(this.over);
    const value = this.labels.length > 1 ? this.labels[this.codes[this.over]] : "";
    const parts = [];
    if (preview?.image) {
      const image = element("img");
      image.src = preview.image.src;
      image.alt = "";
      parts.push(image);
    }
    if (preview) parts.push(element("span", "", preview.name));
    if (value) parts.push(element("span", "fr-map-value", value));
    this.tip.replaceChildren(...parts);
    if (this.byKeyboard && preview)
      this.live.textContent = value ? `${preview.name}, ${value}` : preview.name;
    const [x, y] = this.screen(this.points.at(this.over));
    const right = x + 16 + this.tip.offsetWidth < this.width;
    this.tip.style.left = `${right ? x + 16 : Math.max(4, x - 16 - this.tip.offsetWidth)}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y - 30, this.height - this.tip.offsetHeight - 4))}px`;
  }

  // --- moving about ---------------------------------------------------------------------------

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    cancelAnimationFrame(this.flying);
    const before = this.place(x, y);
    this.scale = Math.max(1, Math.min(DEEPEST, this.scale * factor));
    this.measure();
    const after = this.place(x, y);
    this.move(before[0] - after[0], before[1] - after[1]);
  }

  move(x, y) {
    const clamp = (v) => Math.max(0, Math.min(UNITS, v));
    this.middle = [clamp(this.middle[0] + x), clamp(this.middle[1] + y)];
    this.touchAction();
    this.showTip();
    this.draw();
  }

  // Where the whole map is shown, a finger moves the page and not the map.
  touchAction() {
    const still = this.scale === 1 && !this.chooser.choosing;
    this.canvas.style.touchAction = still ? "pan-y" : "none";
  }

  // Go to a part of the map, seen on the way unless the visitor wants little motion.
  fly(scale, middle) {
    cancelAnimationFrame(this.flying);
    const from = { scale: this.scale, middle: this.middle };
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const started = performance.now();
    const step = () => {
      const part = still ? 1 : Math.min(1, (performance.now() - started) / FLIGHT);
      const eased = part * part * (3 - 2 * part);
      this.scale = part === 1 ? scale : from.scale * (scale / from.scale) ** eased;
      this.middle = from.middle.map((v, axis) => v + (middle[axis] - v) * eased);
      this.move(0, 0);
      if (part < 1) this.flying = requestAnimationFrame(step);
    };
    step();
  }

  goTo({ box: [left, top, right, bottom] }) {
    this.measure();
    const room = 1.25 * Math.max((right - left) / this.width, (bottom - top) / this.height, 1e-9);
    const whole = UNITS / (Math.min(this.width, this.height) * 0.94);
    const scale = Math.max(1.6, Math.min(24, whole / room));
    this.point({});
    this.fly(scale, [(left + right) / 2, (top + bottom) / 2]);
  }

  // Go to the next of the largest clusters that have names.
  goToNext() {
    if (!this.names.length) return;
    const first = this.names.filter((name) => name.levels[0] === 0);
    const names = first.length ? first : this.names;
    this.visited = ((this.visited ?? -1) + 1) % names.length;
    const name = names[this.visited];
    this.live.textContent = `${name.text}, ${name.count.toLocaleString("en")} items`;
    this.goTo(name);
  }

  reset() {
    this.point({});
    this.fly(1, [UNITS / 2, UNITS / 2]);
  }

  close() {
    window.removeEventListener("fr-previews", this.onPreviews);
    this.chooser.close();
    this.sizes.disconnect();
    cancelAnimationFrame(this.flying);
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
