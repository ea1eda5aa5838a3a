// The gallery: cards with a picture, what the catalogue says of an item, and its actions.
// A card that stays keeps its element, so that neither its picture nor the focus is lost.

import { element } from "./element.js";
import { button, similarity } from "./gallery_elements.js";
import { Panel } from "./gallery_panel.js";

// Steps through the other pictures of an item in place. Each is fetched when it is shown, or is
// likely to be next; until it is there, the browser keeps the one before.
function stepper(card, image) {
  const sources = [card.src, ...card.pictures];
  let shown = 0;
  const made = element("div", "fr-pictures");
  const count = element("span", "fr-count");
  count.setAttribute("aria-live", "polite");
  const next = button({ label: "Next picture", icon: "chevron_right" }, card, "fr-round");
  const following = () => sources[(shown + 1) % sources.length];
  const fetchNext = () => {
    new Image().src = following();
  };
  const show = () => {
    count.textContent = `${shown + 1}/${sources.length}`;
    image.alt = shown ? `${card.name}, picture ${shown + 1} of ${sources.length}` : card.name;
  };
  next.addEventListener("click", () => {
    image.src = following();
    shown = (shown + 1) % sources.length;
    show();
    fetchNext();
  });
  next.addEventListener("pointerenter", fetchNext);
  next.addEventListener("focus", fetchNext);
  show();
  made.append(count, next);
  return made;
}

function picture(card, actions) {
  const frame = element("div", "fr-picture");
  const look = actions.find((action) => action.place === "picture");
  const link = element(look ? "a" : "div", "fr-open");
  if (look) {
    // A real link: it opens in another tab and can be shared; a plain click stays on the page.
    link.href = card.href;
    link.target = "_self";
    link.dataset.action = look.name;
    link.setAttribute("aria-label", `${look.label}: ${card.name}`);
    link.setAttribute("aria-haspopup", "dialog");
  }
  const image = element("img");
  if (card.src) {
    image.alt = card.name;
    image.src = card.src;
    image.decoding = "async";
    link.append(image);
  } else {
    link.append(element("span", "fr-missing", "The picture cannot be read"));
  }
  frame.append(link);
  for (const action of actions.filter((a) => a.place === "corner"))
    frame.append(button(action, card, "fr-round fr-corner"));
  if (card.others) {
    const alike = { name: "alike", label: card.others.text };
    const others = button(alike, card, "fr-others");
    others.title = card.others.title;
    others.setAttribute("aria-label", `${card.others.title}: ${card.name}`);
    others.setAttribute("aria-haspopup", "dialog");
    frame.append(others);
  }
  if (card.src && card.pictures.length) frame.append(stepper(card, image));
  return frame;
}

function menu(actions, card, number) {
  const opener = button({ label: "More", icon: "more_horiz" }, card, "fr-round fr-menu");
  const list = element("div", "fr-menu-list");
  list.id = `fr-menu-${number}-${Math.random().toString(36).slice(2)}`;
  list.popover = "auto";
  opener.setAttribute("popovertarget", list.id);
  opener.setAttribute("aria-haspopup", "true");
  for (const action of actions) list.append(button(action, card, "fr-menu-item"));
  list.addEventListener("toggle", (event) => {
    if (event.newState !== "open") return;
    const at = opener.getBoundingClientRect();
    const left = Math.min(at.right - list.offsetWidth, window.innerWidth - list.offsetWidth - 8);
    const below = at.bottom + 4 + list.offsetHeight <= window.innerHeight;
    list.style.left = `${Math.max(8, left)}px`;
    list.style.top = `${below ? at.bottom + 4 : at.top - list.offsetHeight - 4}px`;
    list.querySelector("button")?.focus();
  });
  list.addEventListener("click", () => list.hidePopover());
  return [opener, list];
}

function makeCard(card, actions, number) {
  const made = element("article", "fr-card");
  made.dataset.id = card.id;
  const text = element("div", "fr-text");
  const name = element("div", "fr-name", card.name);
  name.title = card.name;
  text.append(name, element("p", "fr-attributes", card.text));
  made.append(picture(card, actions), text);
  if (card.similarity) made.append(similarity(card.similarity));
  const row = element("div", "fr-actions");
  for (const action of actions.filter((a) => a.place === "row"))
    row.append(button(action, card, "fr-action"));
  const hidden = actions.filter((a) => a.place === "menu");
  if (hidden.length) row.append(...menu(hidden, card, number));
  if (row.childElementCount) made.append(row);
  return made;
}

// After a new query the page shows the beginning of its matches, also where a card far down was
// clicked, and a screen reader announces them.
function present(root, data) {
  const page = document.documentElement;
  const before = page.dataset.frQuery;
  page.dataset.frQuery = data.query;
  if (before === undefined || before === data.query || !data.query) return;
  const start = document.querySelector(".st-key-fr-page") ?? root;
  const first = root.querySelector(".fr-picture")?.getBoundingClientRect();
  const isInView = first && first.top >= 0 && first.bottom <= window.innerHeight;
  const results = document.querySelector(".st-key-fr-results") ?? root;
  if (!isInView || results.getBoundingClientRect().top < 0) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    start.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }
  let status = root.parentElement.querySelector(".fr-status");
  if (!status) {
    status = element("p", "fr-status");
    status.setAttribute("role", "status");
    root.before(status);
  }
  status.textContent = `${data.label}: ${data.cards.length} items`;
}

// Numbers of messages rise, also from one gallery of the page to the next and after a reload.
let lastTurn = 0;

// Tells the server what was done, and until it has answered that, the card shows that it waits.
function tell(root, setTriggerValue, message, card) {
  lastTurn = Math.max(Date.now(), lastTurn + 1);
  root.frTurn = lastTurn;
  if (card) {
    card.classList.add("fr-pending");
    card.frTurn = lastTurn;
  }
  setTriggerValue("act", { ...message, turn: lastTurn });
}

function endPending(root, answered) {
  for (const card of root.querySelectorAll(".fr-pending"))
    if (card.frTurn <= answered) card.classList.remove("fr-pending");
}

function actOn(event, root, data, send) {
  const target = event.target.closest("[data-action]");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
  event.preventDefault();
  const panel = root.frPanel;
  const name = target.dataset.action;
  const id = target.closest("[data-id]").dataset.id;
  const shown = [...data.cards, ...(data.panel?.cards ?? [])];
  const of = panel.isOpen && panel.id === id ? panel.card : shown.find((card) => card.id === id);
  if (of && (name === "look" || name === "alike")) {
    panel.clicked(name, of, data.actions);
    return;
  }
  const cards = [...root.querySelectorAll(".fr-card")];
  const act = () => send({ action: name, id }, cards.find((card) => card.dataset.id === id));
  if (panel.isOpen) panel.leave(act);
  else act();
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".fr-gallery");
  root.setAttribute("role", "list");
  root.setAttribute("aria-label", data.label);
  const before = new Map([...root.children].map((child) => [child.dataset.key, child]));
  const actions = JSON.stringify(data.actions);
  const cells = data.cards.map((card, number) => {
    const key = JSON.stringify(card) + actions;
    let cell = before.get(key);
    if (!cell) {
      cell = element("div", "fr-cell");
      cell.dataset.key = key;
      cell.setAttribute("role", "listitem");
      cell.append(makeCard(card, data.actions, number));
    }
    return cell;
  });
  if (cells.some((cell, place) => root.children[place] !== cell)) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    root.replaceChildren(...cells);
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  } else {
    while (root.children.length > cells.length) root.lastElementChild.remove();
  }
  if (data.first) present(root, data);
  const send = (message, card) => tell(root, setTriggerValue, message, card);
  root.frPanel ??= new Panel(root, send, makeCard);
  root.frPanel.send = send;
  root.frAnswered = data.answered;
  endPending(root, data.answered);
  // What was sent before the last thing that was done here is old.
  if (data.answered >= (root.frTurn ?? 0)) root.frPanel.update(data.panel, data.actions);
  root.onclick = root.frPanel.dialog.onclick = (event) => actOn(event, root, data, send);
}
