// The legend of a map: the commonest values with their colours, and the others behind a button.
// Each shows its items alone.

import { element } from "./element.js";
import { button } from "./map_buttons.js";

export class Legend {
  constructor(choose) {
    this.choose = choose;
    this.root = element("div", "fr-map-legend");
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Legend");
  }

  show({ labels, counts, colours, coloured }) {
    this.entries = labels.map((name, code) => this.entry(name, counts[code], colours[code], code));
    const first = element("ul");
    first.append(...this.entries.slice(0, coloured));
    this.root.replaceChildren(first);
    if (labels.length > coloured) this.root.append(...this.others(coloured));
  }

  entry(name, count, colour, code) {
    const item = element("li");
    const made = element("button");
    Object.assign(made, { type: "button", title: `Show ${name} only`, ariaPressed: "false" });
    const dot = element("span", "fr-map-dot");
    dot.style.background = colour;
    dot.setAttribute("aria-hidden", "true");
    const number = element("span", "fr-map-count", count.toLocaleString("en"));
    made.append(dot, element("span", "fr-map-name", name), number);
    made.onclick = () => this.choose(code);
    item.append(made);
    return item;
  }

  others(coloured) {
    const list = element("ul", "fr-map-others");
    list.append(...this.entries.slice(coloured));
    list.hidden = true;
    const count = this.entries.length - coloured;
    const opener = button("expand_more", `${count.toLocaleString("en")} more`, () => this.open(list.hidden));
    opener.className = "fr-map-more";
    opener.setAttribute("aria-expanded", "false");
    this.opener = opener;
    this.list = list;
    return [opener, list];
  }

  open(opened) {
    this.list.hidden = !opened;
    this.opener.setAttribute("aria-expanded", String(opened));
  }

  press(only) {
    for (const [code, item] of this.entries.entries())
      item.firstChild.setAttribute("aria-pressed", String(only === code));
    if (this.list?.contains(this.entries[only] ?? null)) this.open(true);
  }
}
