// Choose a part of a picture: drag a corner or the frame, with mouse, pen or finger, or move them
// with the arrow keys. Edges are in thousandths of the picture, as the page keeps them.

const MIN_SIDE = 60;
const STEP = 10;

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".fr-cropper");
  if (root.dataset.src === data.src) return;
  root.dataset.src = data.src;
  root.replaceChildren();

  const element = (tag, className, properties) =>
    Object.assign(document.createElement(tag), { className, ...properties });
  const stage = element("div", "fr-crop-stage");
  const frame = element("div", "fr-crop-frame");
  stage.append(element("img", "", { src: data.src, alt: data.alt, draggable: false }), frame);
  const hint = element("p", "fr-crop-hint", {
    textContent: "Draw a frame around the garment, or move its corners.",
  });

  let box = data.box ?? [0, 0, 1000, 1000];
  const clamp = (value, low, high) => Math.round(Math.min(Math.max(value, low), high));

  const handles = [
    ["frame", "The chosen part; the arrow keys move it"],
    ["nw", "Upper left corner; the arrow keys move it"],
    ["se", "Lower right corner; the arrow keys move it"],
    ["ne", "Upper right corner; the arrow keys move it"],
    ["sw", "Lower left corner; the arrow keys move it"],
  ].map(([name, label]) => {
    const className = `fr-crop-handle fr-crop-${name}`;
    const handle = element("button", className, { type: "button", name, ariaLabel: label });
    frame.append(handle);
    return handle;
  });

  const draw = () => {
    const [left, top, right, bottom] = box;
    Object.assign(frame.style, {
      left: `${left / 10}%`,
      top: `${top / 10}%`,
      width: `${(right - left) / 10}%`,
      height: `${(bottom - top) / 10}%`,
    });
    // Around all of the picture there is no frame to move: a press anywhere draws one.
    stage.classList.toggle("fr-crop-whole", box.join() === "0,0,1000,1000");
  };

  const move = (name, dx, dy, from) => {
    let [left, top, right, bottom] = from;
    if (name === "frame") {
      const x = clamp(dx, -left, 1000 - right);
      const y = clamp(dy, -top, 1000 - bottom);
      box = [left + x, top + y, right + x, bottom + y];
    } else {
      if (name.includes("w")) left = clamp(left + dx, 0, right - MIN_SIDE);
      if (name.includes("e")) right = clamp(right + dx, left + MIN_SIDE, 1000);
      if (name.includes("n")) top = clamp(top + dy, 0, bottom - MIN_SIDE);
      if (name.includes("s")) bottom = clamp(bottom + dy, top + MIN_SIDE, 1000);
      box = [left, top, right, bottom];
    }
    draw();
  };

  // Calls `drag` for every move of a pointer until it is lifted.
  const follow = (target, drag) => {
    const stop = () => target.removeEventListener("pointermove", drag);
    target.addEventListener("pointermove", drag);
    for (const end of ["pointerup", "pointercancel"])
      target.addEventListener(end, stop, { once: true });
  };

  for (const handle of handles) {
    const name = handle.name;
    handle.addEventListener("pointerdown", (down) => {
      down.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(down.pointerId);
      const from = [...box];
      const stageBox = stage.getBoundingClientRect();
      follow(handle, (event) =>
        move(
          name,
          ((event.clientX - down.clientX) / stageBox.width) * 1000,
          ((event.clientY - down.clientY) / stageBox.height) * 1000,
          from,
        ),
      );
    });
    handle.addEventListener("keydown", (event) => {
      const direction = {
        ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      }[event.key];
      if (!direction) return;
      event.preventDefault();
      const step = event.shiftKey ? 5 * STEP : STEP;
      move(name, direction[0] * step, direction[1] * step, box);
    });
  }

  // A press beside the frame draws a new one.
  stage.addEventListener("pointerdown", (down) => {
    if (down.target.closest(".fr-crop-handle")) return;
    down.preventDefault();
    stage.setPointerCapture(down.pointerId);
    const stageBox = stage.getBoundingClientRect();
    const at = (event) => [
      clamp(((event.clientX - stageBox.left) / stageBox.width) * 1000, 0, 1000),
      clamp(((event.clientY - stageBox.top) / stageBox.height) * 1000, 0, 1000),
    ];
    const [x, y] = at(down);
    follow(stage, (event) => {
      const [u, v] = at(event);
      const next = [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
      if (next[2] - next[0] >= MIN_SIDE && next[3] - next[1] >= MIN_SIDE) {
        box = next;
        draw();
      }
    });
  });

  const row = element("div", "fr-crop-row");
  const button = (label, className, message) => {
    const made = element("button", className, { type: "button", textContent: label });
    made.addEventListener("click", () => {
      delete root.dataset.src;
      setTriggerValue("box", message());
    });
    row.append(made);
  };
  button("Search with this part", "fr-crop-done", () => box.join(","));
  button("Cancel", "", () => "cancel");
  root.append(hint, stage, row);
  draw();
  handles[2].focus({ preventScroll: true });
}
