// Buttons of a map's frame.

import { element } from "./element.js";

// A button with an icon (a name of Material Symbols) and a text.
export function button(icon, text, act) {
  const made = element("button");
  const sign = element("span", "fr-map-icon", icon);
  sign.setAttribute("aria-hidden", "true");
  made.append(sign);
  if (text) made.append(element("span", "", text));
  Object.assign(made, { type: "button", onclick: act });
  return made;
}

// The same with the icon alone, for which the name is a label and a tip.
export function iconButton(icon, name, act) {
  return Object.assign(button(icon, "", act), { title: name, ariaLabel: name });
}
