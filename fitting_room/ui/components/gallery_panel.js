// An item by itself, in a dialog over the page: its pictures, large, and all that is known of it. It
// opens at once with what the card has; the rest comes from the server. The browser's own dialog
// keeps the focus inside, is closed with Escape, and tells screen readers what it is.

import { element } from "./element.js";
import { button, similarity } from "./gallery_elements.js";
import { Entries } from "./gallery_entries.js";

export class Panel {
  // "send" tells the server what is looked at, "give" makes a card of the gallery.
  constructor(root, send, give) {
    this.root = root;
    this.send = send;
    this.give = give;
    this.id = null;
    this.opener = null;
    this.after = null; // what is done once the server has answered and its entry is left
    this.leaving = null; // the promise of having left it
    this.dialog = element("dialog", "fr-panel");
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("close", () => this.closed());
    root.after(this.dialog);
    this.entries = new Entries(this.dialog, () => {
      this.shut();
      this.send({ action: "close" });
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  // A card was clicked: what it opens gets an entry in the browser's history.
  clicked(action, card, actions) {
    if (this.leaving) {
      this.leaving.then(() => this.clicked(action, card, actions));
      return;
    }
    if (action === "alike") this.openAlike(card);
    else this.open(card, actions);
    this.entries.isAwaited = true;
    this.send({ action, id: card.id });
  }

  // Open, or show another item where it is open, with what a card has.
  open(card, actions) {
    this.begin(card, "fr-panel-item");
    const pictures = element("div", "fr-panel-pictures");
    this.image = element("img");
    this.count = element("span", "fr-count");
    this.count.setAttribute("aria-live", "polite");
    this.stage = element("div", "fr-panel-stage");
    pictures.append(this.stage);
    const text = element("div", "fr-panel-text");
    this.facts = element("div", "fr-panel-facts");
    this.facts.append(element("p", "fr-attributes", card.text));
    this.row = element("div", "fr-actions");
    this.known = element("div", "fr-panel-known");
    text.append(this.heading, this.facts);
    if (card.similarity) text.append(similarity(card.similarity));
    text.append(this.row, this.known);
    this.offer(actions);
    this.body.append(pictures, text);
    this.sources = null;
    this.take([card.src, ...card.pictures], 0, null);
    this.show();
  }

  // Open with what looks all but the same as the item of a card.
  openAlike(card) {
    this.begin(card, "fr-panel-alike");
    this.heading.textContent = `Look the same as ${card.name}`;
    this.cells = element("div", "fr-gallery");
    this.cells.setAttribute("role", "list");
    this.rest = element("p", "fr-attributes", "Looking …");
    this.rest.setAttribute("role", "status");
    this.body.append(this.heading, this.cells, this.rest);
    this.show();
  }

  // What the server says of that which is open, or of what a link names.
  update(data, actions) {
    if (this.leaving || (this.id !== null && !this.isOpen)) return; // it is being closed
    if (this.after) {
      if (data) this.entries.enter(data.address);
      else this.entries.end();
      this.retreat(this.after);
      return;
    }
    if (!data) {
      this.entries.end();
      if (this.isOpen) this.shut();
      return;
    }
    const alike = data.cards !== undefined;
    const here = this.isOpen && this.id === data.card.id && this.isAlike === alike;
    if (!here && alike) this.openAlike(data.card);
    else if (!here) this.open(data.card, data.actions);
    this.entries.enter(data.address);
    if (alike) this.list(data, actions);
    else this.complete(data);
  }

  // Close without a word to the server.
  shut() {
    this.quiet = true;
    this.dialog.close();
  }

  // Close, and do something once the browser is at the page below.
  leave(then) {
    this.shut();
    this.retreat(then);
  }

  // What is not answered yet has no entry that could be left: the answer would add it afterwards.
  async retreat(then) {
    this.after = this.entries.isAwaited ? then : null;
    if (this.after) return;
    this.leaving = this.entries.leave();
    await this.leaving;
    this.leaving = null;
    then();
  }

  begin(card, kind) {
    if (!this.isOpen) {
      this.opener = card.id;
      this.after?.();
      this.after = null;
      this.entries.end();
    }
    this.id = card.id;
    this.card = card;
    this.isAlike = kind === "fr-panel-alike";
    this.heading = element("h2", "fr-panel-name", card.name);
    this.heading.id = `fr-panel-${Math.random().toString(36).slice(2)}`;
    this.heading.tabIndex = -1;
    this.dialog.setAttribute("aria-labelledby", this.heading.id);
    this.dialog.dataset.id = card.id;
    const close = button({ label: "Close", icon: "close" }, card, "fr-round fr-panel-close");
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => this.dialog.close());
    this.body = element("div", kind);
    const bar = element("div", "fr-panel-bar");
    bar.append(close);
    this.dialog.replaceChildren(bar, this.body);
  }

  show() {
    this.quiet = false;
    if (!this.isOpen) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    this.heading.focus({ preventScroll: true });
  }

  offer(actions) {
    const wanted = actions.filter((action) => action.place !== "picture");
    const offered = ["row", "corner", "menu"].flatMap((place) =>
      wanted.filter((action) => action.place === place),
    );
    const buttons = offered.map((action) => button(action, this.card, "fr-action"));
    if (this.card.others) {
      const alike = { name: "alike", label: this.card.others.text };
      buttons.push(button(alike, this.card, "fr-action"));
    }
    this.row.replaceChildren(...buttons);
  }

  // What is known of the item, beyond what its card says.
  complete({ card, pictures, shown, large, price, shop, details }) {
    this.facts.replaceChildren();
    // A look-alike's card does not say how alike it is.
    if (card.similarity && !this.card.similarity) {
      this.row.before(similarity(card.similarity));
      this.card = { ...this.card, similarity: card.similarity };
    }
    if (price) this.facts.append(element("p", "fr-panel-price", price));
    if (shop) {
      const link = element("a", "fr-panel-shop", "Open in the shop");
      link.href = shop.href;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      link.append(element("span", "fr-panel-host", shop.host));
      link.append(element("span", "fr-status", " (opens in a new tab)"));
      this.facts.append(link);
    }
    const list = element("dl");
    for (const [name, value] of details) {
      const pair = element("div");
      pair.append(element("dt", "", name), element("dd", "", value));
      list.append(pair);
    }
    this.known.replaceChildren(list);
    this.take(pictures, shown, large);
  }

  take(pictures, shown, large) {
    const sources = pictures.filter((source) => source);
    const same = sources.join() === this.sources?.join() && this.stage.isConnected;
    this.sources = sources;
    if (same && shown !== this.shown) return; // another one was stepped to meanwhile
    this.shown = sources.length > shown ? shown : 0;
    this.draw();
    if (large) this.sharpen(large);
  }

  draw() {
    const several = this.sources.length > 1;
    if (!this.sources.length) {
      this.stage.replaceChildren(element("span", "fr-missing", "The picture cannot be read"));
      return;
    }
    this.image.alt = several
      ? `${this.card.name}, picture ${this.shown + 1} of ${this.sources.length}`
      : this.card.name;
    this.wanted = this.sources[this.shown];
    if (this.image.dataset.of !== this.wanted) this.image.src = this.wanted;
    this.image.dataset.of = this.wanted;
    if (this.image.parentNode !== this.stage) this.stage.replaceChildren(this.image);
    this.count.textContent = `${this.shown + 1}/${this.sources.length}`;
    if (!several || this.count.isConnected) return;
    const steps = [
      [-1, "Previous picture", "chevron_left"],
      [1, "Next picture", "chevron_right"],
    ].map(([by, label, icon]) => {
      const step = button({ label, icon }, this.card, "fr-round fr-panel-step");
      step.addEventListener("click", () => this.step(by));
      return step;
    });
    const bar = element("div", "fr-panel-steps");
    bar.append(steps[0], this.count, steps[1]);
    this.stage.append(bar);
  }

  // The large picture takes the small one's place once it is there, if that is still shown.
  sharpen(large) {
    const { wanted } = this;
    const loading = new Image();
    loading.onload = () => {
      if (this.wanted === wanted) this.image.src = large;
    };
    loading.src = large;
  }

  step(by) {
    if (!(this.sources?.length > 1) || this.isAlike) return;
    this.shown = (this.shown + by + this.sources.length) % this.sources.length;
    this.draw();
    this.send({ action: "look", id: this.id, picture: this.shown });
  }

  list({ cards, more }, actions) {
    const cells = cards.map((card, number) => {
      const cell = element("div", "fr-cell");
      cell.setAttribute("role", "listitem");
      cell.append(this.give(card, actions, number));
      return cell;
    });
    this.cells.replaceChildren(...cells);
    this.rest.textContent = more > 0 ? `and ${more.toLocaleString("en")} more` : "";
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    this.step(by);
  }

  closed() {
    if (this.isOpen) return; // again, before the browser said that it was closed
    this.id = null;
    // The card may have been drawn anew; the focus goes back to it all the same.
    const cards = [...this.root.querySelectorAll(".fr-card")];
    const card = cards.find((each) => each.dataset.id === this.opener);
    card?.querySelector("a.fr-open")?.focus();
    if (!this.quiet) this.retreat(() => this.send({ action: "close" }));
    this.dialog.replaceChildren();
  }
}
