// The queries that led here, as small pictures; each leads back.

import { element } from "./element.js";

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".fr-trail");
  const state = JSON.stringify(data);
  if (root.dataset.state === state) return;
  root.dataset.state = state;
  const steps = data.steps.map((step) => {
    const item = element("li", "");
    const made = element(step.here ? "span" : "button", "fr-trail-step", { title: step.title });
    if (step.here) made.setAttribute("aria-current", "step");
    else made.type = "button";
    const label = step.here ? `Here: ${step.title}` : `Back to: ${step.title}`;
    made.setAttribute("aria-label", label);
    if (step.here) made.setAttribute("role", "img");
    if (step.src) made.append(element("img", "", { src: step.src, alt: "" }));
    else made.append(element("span", "fr-trail-word", { textContent: step.title.slice(0, 12) }));
    if (step.more) made.append(element("span", "fr-trail-more", { textContent: `+${step.more}` }));
    if (!step.here)
      made.addEventListener("click", () => setTriggerValue("go", step.position));
    item.append(made);
    return item;
  });
  const back = element("button", "fr-trail-back", { type: "button", textContent: "← Back" });
  back.addEventListener("click", () => setTriggerValue("go", data.back));
  const list = element("ol", "", { ariaLabel: "The way here" });
  list.append(...steps);
  root.replaceChildren(back, ...(steps.length > 1 ? [list] : []));
}
