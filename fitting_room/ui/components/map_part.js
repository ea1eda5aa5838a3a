// Choosing a part of a map: by a rectangle that is drawn, or what is in view. The part is listed in
// the gallery below the map, by the server (see part.js).

import { element } from "./element.js";
import { button } from "./map_buttons.js";

export class PartChooser {
  constructor(map) {
    this.map = map;
    this.part = null; // what is listed, its edges on the map
    this.choosing = false;
    this.drawn = null; // a rectangle in the making: two corners on the screen
    this.bar = element("div", "fr-map-bar");
    this.words = element("p", "fr-map-words");
    this.tool = button("highlight_alt", "Choose a part", () => this.choose(!this.choosing));
    this.tool.ariaPressed = "false";
    this.view = button("grid_view", "Show what is in view in the gallery", () => this.showView());
    this.bar.append(this.words, this.tool, this.view);
    this.onPart = (event) => this.receive(event.detail);
    window.addEventListener("fr-part", this.onPart);
  }

  // The part that the page was opened with, where it was told before this map was there.
  begin() {
    const told = document.querySelector(".fr-part")?.dataset.chosen;
    if (told) this.receive(JSON.parse(told));
  }

  choose(on) {
    this.choosing = on;
    this.drawn = null;
    this.tool.setAttribute("aria-pressed", String(on));
    this.tool.lastChild.textContent = on ? "Now drag over the part" : "Choose a part";
    this.map.canvas.classList.toggle("fr-choosing", on);
    this.map.touchAction();
    this.map.draw();
  }

  end() {
    const [[x0, y0], [x1, y1]] = this.drawn;
    this.choose(false);
    if (Math.abs(x1 - x0) < 6 || Math.abs(y1 - y0) < 6) return;
    const { map } = this;
    const corners = [map.place(Math.min(x0, x1), Math.min(y0, y1)), map.place(Math.max(x0, x1), Math.max(y0, y1))];
    this.send(corners);
  }

  showView() {
    const { map } = this;
    map.measure();
    this.send([map.place(0, 0), map.place(map.width, map.height)]);
  }

  send(corners) {
    const part = corners.flat().map((v) => Math.round(Math.max(0, Math.min(65535, v))));
    if (part[0] >= part[2] || part[1] >= part[3]) return;
    this.tell({ part, only: this.map.only }, JSON.stringify([part, this.map.only]), 3);
  }

  // A message that comes while the page is being drawn can get lost, and is sent again.
  tell(message, key, tries) {
    clearTimeout(this.telling);
    this.awaited = key;
    window.dispatchEvent(new CustomEvent("fr-choose", { detail: message }));
    if (tries > 1) this.telling = setTimeout(() => this.tell(message, key, tries - 1), 3000);
  }

  receive({ part, only }) {
    const key = JSON.stringify([part, only]);
    // The gallery may be drawn anew with the same part, after the legend was used here.
    if (this.received !== key && part && only !== null) this.map.showOnly(only);
    this.received = key;
    this.part = part;
    if (this.awaited === key) {
      clearTimeout(this.telling);
      this.awaited = null;
      this.present();
    }
    this.map.draw();
  }

  // What was asked for is below: go there.
  present() {
    requestAnimationFrame(() => {
      const gallery = document.querySelector(".st-key-fr-map-part");
      const heading = gallery?.querySelector("h3");
      if (!heading) return;
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      gallery.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    });
  }

  // What is in view, in words.
  describe() {
    clearTimeout(this.describing);
    this.describing = setTimeout(() => {
      const { inView, codes, labels, only } = this.map;
      const counts = new Uint32Array(labels.length);
      for (const row of inView) counts[codes[row]]++;
      const total = only === null ? inView.length : counts[only];
      const order = [...counts.keys()].filter((code) => counts[code] && (only ?? code) === code);
      order.sort((a, b) => counts[b] - counts[a]);
      const parts = order.slice(0, 3).map((code) => `${counts[code].toLocaleString("en")} ${labels[code]}`);
      const rest = order.length > 3 ? " …" : "";
      const text = `In view: ${total.toLocaleString("en")} item${total === 1 ? "" : "s"}`;
      const said = labels.length > 1 && total ? `${text}: ${parts.join(", ")}${rest}` : text;
      if (this.words.textContent !== said) this.words.textContent = said;
      this.view.disabled = total === 0;
    }, 120);
  }

  close() {
    clearTimeout(this.telling);
    clearTimeout(this.describing);
    window.removeEventListener("fr-part", this.onPart);
  }
}
