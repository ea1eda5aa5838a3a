// Moving about a map with a mouse, with fingers and with the keyboard.

export function listen(map) {
  const { canvas, chooser, pointers } = map;
  const at = (event) => {
    map.measure(); // the page may have changed since the last drawing
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("wheel", (event) => {
    if (event.deltaY > 0 && map.scale <= 1) return; // nothing more to see: the page moves on
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    map.zoom(Math.exp(-event.deltaY * lines * 0.0022), ...at(event));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    map.byKeyboard = false;
    pointers.set(event.pointerId, at(event));
    map.moved = pointers.size > 1;
    map.from = at(event);
    const mouse = event.pointerType !== "touch";
    chooser.drawn = pointers.size === 1 && (chooser.choosing || (mouse && event.shiftKey))
      ? [map.from, map.from]
      : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (map.points && !chooser.choosing) map.point(map.pointed(...now, 14));
      return;
    }
    if (chooser.drawn) {
      chooser.drawn = [map.from, now];
      map.draw();
      return;
    }
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
      const gap = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      map.zoom(gap(now) / gap(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    if (Math.hypot(now[0] - map.from[0], now[1] - map.from[1]) > 5) map.moved = true;
    if (map.moved) {
      canvas.classList.add("fr-dragging");
      const part = 1 / pointers.size;
      map.move(
        ((before[0] - now[0]) / map.pixel) * part,
        ((before[1] - now[1]) / map.pixel) * part,
      );
    }
    pointers.set(event.pointerId, now);
  });
  const up = (event) => {
    const held = pointers.delete(event.pointerId);
    canvas.classList.remove("fr-dragging");
    if (chooser.drawn && event.type === "pointerup" && held) chooser.end();
    else if (event.type === "pointerup" && held && !map.moved && map.points) tap(event);
    chooser.drawn = null;
  };
  const tap = (event) => {
    const touch = event.pointerType === "touch";
    const { row = -1, name } = map.pointed(...at(event), touch ? 24 : 14);
    if (name) map.goTo(name);
    // A finger cannot point without touching: the first touch shows, the second one takes.
    else if (touch && row !== map.over) map.hover(row);
    else if (row >= 0) map.take(row);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  // A finger leaves whenever it is lifted; what it has shown stays.
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch" && !pointers.size) map.point({});
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => map.draw());
  canvas.addEventListener("keydown", (event) => {
    const step = 0.12 * Math.min(map.width, map.height) / map.pixel;
    const acts = {
      ArrowLeft: () => map.move(-step, 0),
      ArrowRight: () => map.move(step, 0),
      ArrowUp: () => map.move(0, -step),
      ArrowDown: () => map.move(0, step),
      "+": () => map.zoom(1.6),
      "=": () => map.zoom(1.6),
      "-": () => map.zoom(1 / 1.6),
      0: () => map.reset(),
      n: () => map.goToNext(),
      Escape: () => chooser.choose(false),
      Enter: () => map.over >= 0 && map.take(map.over),
    };
    if (!acts[event.key] || (event.key === "Escape" && !chooser.choosing) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    map.byKeyboard = true;
    acts[event.key]();
    if (event.key === "Escape") return;
    if (event.key !== "Enter" && event.key !== "n")
      map.hover(map.nearest(map.width / 2, map.height / 2, 0.6 * map.width));
  });
  map.onPreviews = (event) => map.receive(event.detail);
  window.addEventListener("fr-previews", map.onPreviews);
  map.sizes = new ResizeObserver(() => map.draw());
  map.sizes.observe(map.frame);
}
