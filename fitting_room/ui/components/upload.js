// Where a visitor gives a picture: a large place on the opening page, two buttons beside a query.

import { element } from "./element.js";
import { openCamera } from "./upload_camera.js";
import { changed, desk, give, onTheirWay, say, settled } from "./upload_files.js";

function build(root, limits) {
  const chooser = element("input", "fr-upload-chooser", {
    type: "file", multiple: true, tabIndex: -1, ariaLabel: "Choose pictures",
    accept: ["image/*", ...limits.endings].join(),
  });
  chooser.setAttribute("aria-hidden", "true");
  chooser.addEventListener("change", () => {
    give([...chooser.files]);
    chooser.value = "";
  });
  const title = element("p", "fr-upload-title");
  const row = element("div", "fr-upload-row");
  const choose = element("button", "fr-upload-main", { type: "button" });
  choose.addEventListener("click", () => chooser.click());
  const camera = element("button", "", { type: "button", textContent: "Camera" });
  row.append(choose, camera);
  const note = element("p", "fr-upload-note");
  const place = element("div", "fr-upload-camera");
  const status = element("p", "fr-upload-status");
  status.setAttribute("role", "status");
  const refusals = element("ul", "fr-upload-refusals");
  refusals.setAttribute("role", "alert");

  const close = (reason) => {
    place.replaceChildren();
    root.classList.remove("fr-with-camera");
    if (reason) say(reason);
    camera.focus({ preventScroll: true });
  };
  camera.addEventListener("click", async () => {
    root.classList.add("fr-with-camera");
    root.frCameraOff = await openCamera(place, (file) => give([file]), close);
  });
  root.replaceChildren(chooser, title, row, place, note, status, refusals);

  const draw = () => {
    const count = onTheirWay();
    root.classList.toggle("fr-sending", count > 0);
    status.textContent = count ? `Looking at your picture${count > 1 ? "s" : ""} …` : "";
    refusals.replaceChildren(...desk.refusals.map((text) => element("li", "", { textContent: text })));
    if (count) document.documentElement.dataset.frLooking = "";
    else delete document.documentElement.dataset.frLooking;
  };
  desk.watchers.add(draw);
  root.frForm = (first, again) => {
    root.classList.toggle("fr-first", first);
    title.textContent = first ? "Drop a picture of a garment here" : "";
    choose.textContent = again ? "Change picture" : "Choose pictures";
    note.textContent = first
      ? "Or anywhere on the page, or paste it. Your picture is not kept: it is forgotten when you leave."
      : "Your picture is not kept.";
  };
  root.frDone = () => {
    place.replaceChildren();
    root.classList.remove("fr-with-camera");
  };
  root.frEnd = () => {
    root.frCameraOff?.();
    desk.watchers.delete(draw);
  };
}

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".fr-upload");
  desk.limits = data.limits;
  if (!root.frForm) build(root, data.limits);
  root.frForm(data.first, data.again);
  if ((desk.taken ?? 0) !== data.taken) {
    root.frDone();
    settled();
  }
  if (desk.said !== data.said) delete document.documentElement.dataset.frAttempt;
  desk.taken = data.taken;
  desk.said = data.said;
  changed();
  return () => root.frEnd();
}
