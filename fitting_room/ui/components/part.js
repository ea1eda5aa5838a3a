// Tells the server which part of the map was chosen to be listed, and the map which one is. Its own
// component, so that a choice does not send the points again.

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".fr-part");
  root.dataset.chosen = JSON.stringify(data); // for a map that comes later
  window.dispatchEvent(new CustomEvent("fr-part", { detail: data }));
  const choose = (event) => setTriggerValue("choose", event.detail);
  window.addEventListener("fr-choose", choose);
  return () => window.removeEventListener("fr-choose", choose);
}
