// Fetches pictures and names of points for the map, which requests them with an event and gets them
// with another. Its own component, so that a request does not send the points again.

export default function ({ data, setTriggerValue }) {
  if (data.previews.length)
    window.dispatchEvent(new CustomEvent("fr-previews", { detail: data.previews }));
  const request = (event) => setTriggerValue("request", event.detail);
  window.addEventListener("fr-request", request);
  return () => window.removeEventListener("fr-request", request);
}
