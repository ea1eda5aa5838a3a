// What the cards of the gallery and its panel are made of. All words are strangers': they become
// text and attributes, never markup.

import { element } from "./element.js";

// A button for an action of a card; without a name it is one of the page's own.
export function button(action, card, className) {
  const made = element("button", className);
  made.type = "button";
  if (action.name) made.dataset.action = action.name;
  if (action.icon) {
    const icon = element("span", "fr-icon", action.icon);
    icon.setAttribute("aria-hidden", "true");
    made.append(icon);
  }
  if (className.includes("fr-round")) made.title = action.label;
  else made.append(element("span", "", action.label));
  made.setAttribute("aria-label", `${action.label}: ${card.name}`);
  return made;
}

export function similarity({ text, title, amount }) {
  const line = element("div", "fr-similarity");
  line.title = title;
  line.setAttribute("role", "img");
  line.setAttribute("aria-label", `${text}. ${title}`);
  const bar = element("span", "fr-bar");
  const filled = element("span");
  filled.style.width = `${(100 * amount).toFixed(1)}%`;
  bar.append(filled);
  line.append(bar, element("span", "", text));
  return line;
}
