// Choose a part of a picture: drag a corner or the frame, with mouse, pen or finger, or move them
// with the arrow keys. Edges are in thousandths of the picture, as the page keeps them.

const LEAST = 60;
const STEP = 10;

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".fr-cropper");
  if (root.dataset.src === data.src) return;
  root.dataset.src = data.src;
  root.replaceChildren();

  const stage = document.createElement("div");
  stage.className = "fr-crop-stage";
  const image = document.createElement("img");
  image.src = data.src;
  image.alt = data.alt;
  image.draggable = false;
  const frame = document.createElement("div");
  frame.className = "fr-crop-frame";
  stage.append(image, frame);

  let box = data.box ?? [0, 0, 1000, 1000];
  const clamp = (value, low, high) => Math.round(Math.min(Math.max(value, low), high));

  const handles = [
    ["frame", "The chosen part; the arrow keys move it"],
    ["nw", "Upper left corner; the arrow keys move it"],
    ["se", "Lower right corner; the arrow keys move it"],
    ["ne", "Upper right corner; the arrow keys move it"],
    ["sw", "Lower left corner; the arrow keys move it"],
  ].map(([name, label]) => {
    const handle = document.createElement("button");
    handle.type = "button";
    handle.className = `fr-crop-handle fr-crop-${name}`;
    handle.dataset.handle = name;
    handle.setAttribute("aria-label", label);
    frame.append(handle);
    return handle;
  });

  const draw = () => {
    const [left, top, right, bottom] = box;
    frame.style.left = `${left / 10}%`;
    frame.style.top = `${top / 10}%`;
    frame.style.width = `${(right - left) / 10}%`;
    frame.style.height = `${(bottom - top) / 10}%`;
    said.textContent =
      `${Math.round((right - left) / 10)} % of the width, ` +
      `${Math.round((bottom - top) / 10)} % of the height`;
  };

  const move = (name, dx, dy, from) => {
    let [left, top, right, bottom] = from;
    if (name === "frame") {
      const x = clamp(dx, -left, 1000 - right);
      const y = clamp(dy, -top, 1000 - bottom);
      box = [left + x, top + y, right + x, bottom + y];
    } else {
      if (name.includes("w")) left = clamp(left + dx, 0, right - LEAST);
      if (name.includes("e")) right = clamp(right + dx, left + LEAST, 1000);
      if (name.includes("n")) top = clamp(top + dy, 0, bottom - LEAST);
      if (name.includes("s")) bottom = clamp(bottom + dy, top + LEAST, 1000);
      box = [left, top, right, bottom];
    }
    draw();
  };

  for (const handle of handles) {
    const name = handle.dataset.handle;
    handle.addEventListener("pointerdown", (down) => {
      down.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(down.pointerId);
      const from = [...box];
      const size = stage.getBoundingClientRect();
      const drag = (event) =>
        move(
          name,
          ((event.clientX - down.clientX) / size.width) * 1000,
          ((event.clientY - down.clientY) / size.height) * 1000,
          from,
        );
      const stop = () => handle.removeEventListener("pointermove", drag);
      handle.addEventListener("pointermove", drag);
      handle.addEventListener("pointerup", stop, { once: true });
      handle.addEventListener("pointercancel", stop, { once: true });
    });
    handle.addEventListener("keydown", (event) => {
      const way = {
        ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      }[event.key];
      if (!way) return;
      event.preventDefault();
      const step = event.shiftKey ? 5 * STEP : STEP;
      move(name, way[0] * step, way[1] * step, box);
    });
  }

  // A press beside the frame draws a new one.
  stage.addEventListener("pointerdown", (down) => {
    if (down.target.closest(".fr-crop-handle")) return;
    down.preventDefault();
    stage.setPointerCapture(down.pointerId);
    const size = stage.getBoundingClientRect();
    const at = (event) => [
      clamp(((event.clientX - size.left) / size.width) * 1000, 0, 1000),
      clamp(((event.clientY - size.top) / size.height) * 1000, 0, 1000),
    ];
    const [x, y] = at(down);
    const drag = (event) => {
      const [u, v] = at(event);
      const next = [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
      if (next[2] - next[0] >= LEAST && next[3] - next[1] >= LEAST) {
        box = next;
        draw();
      }
    };
    const stop = () => stage.removeEventListener("pointermove", drag);
    stage.addEventListener("pointermove", drag);
    stage.addEventListener("pointerup", stop, { once: true });
    stage.addEventListener("pointercancel", stop, { once: true });
  });

  const said = document.createElement("p");
  said.className = "fr-crop-said";
  said.setAttribute("aria-live", "polite");
  const row = document.createElement("div");
  row.className = "fr-crop-row";
  const button = (label, className, send) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = className;
    made.textContent = label;
    made.addEventListener("click", () => {
      delete root.dataset.src;
      setTriggerValue("box", send());
    });
    row.append(made);
  };
  button("Search with this part", "fr-crop-done", () => box.join(","));
  button("Cancel", "fr-crop-cancel", () => "cancel");
  root.append(stage, said, row);
  draw();
  handles[2].focus({ preventScroll: true });
}
