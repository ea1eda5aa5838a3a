// Fetches pictures and names of points for the map, which asks for them with an event and is
// answered with one. Its own component, so that asking does not send the points again.

export default function ({ data, setTriggerValue }) {
  if (data.faces.length)
    window.dispatchEvent(new CustomEvent("fr-faces", { detail: data.faces }));
  const look = (event) => setTriggerValue("look", event.detail);
  window.addEventListener("fr-look", look);
  return () => window.removeEventListener("fr-look", look);
}
