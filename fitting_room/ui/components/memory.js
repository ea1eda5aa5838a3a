// What a visit needs to go on after a reload, a broken connection or a restart of the server: the
// working copies of the visitor's pictures and the trail. They are kept by the browser for this tab
// alone and end with it; the server gets them back only where it does not know this visit.

const KEY = "fitting-room";
// Signs that are kept at most; a browser refuses more than some five million.
const MOST = 4_000_000;

function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

function keep(kept) {
  // The oldest pictures go first where there is no room; a browser may also allow none.
  while (JSON.stringify(kept).length > MOST && kept.pictures.length > 1) kept.pictures.shift();
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    sessionStorage.removeItem(KEY);
  }
}

// The pictures on the page, by their names on the server.
function shown() {
  const images = document.querySelectorAll(".fr-query img[data-picture]");
  return [...images].map((image) => ({
    id: image.dataset.picture, name: image.dataset.name, src: image.src,
  }));
}

export default function ({ data, setTriggerValue }) {
  const kept = recall();
  const before = Array.isArray(kept.pictures) ? kept.pictures : [];
  if (kept.visit !== data.visit && (kept.trail?.length || before.length)) {
    // Another visit to the server, but the same one to the person before the screen. Until the
    // server has taken it back, what is kept stays as it is.
    if (window.fittingRoomBack !== data.visit) {
      window.fittingRoomBack = data.visit;
      const { trail, position } = kept;
      setTriggerValue("back", { trail, position, pictures: before });
    }
    if (!data.back) return;
  }
  const known = new Map(before.map((picture) => [picture.id, picture]));
  // What was shown last comes last, so that it is dropped last.
  for (const picture of shown()) {
    known.delete(picture.id);
    known.set(picture.id, picture);
  }
  const wanted = new Set(data.pictures);
  const pictures = [...known.values()].filter((picture) => wanted.has(picture.id));
  keep({ visit: data.visit, trail: data.trail, position: data.position, pictures });
}
