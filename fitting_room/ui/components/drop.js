// The whole page takes pictures: dropped anywhere, or pasted. One listener serves whichever of the
// components is mounted, since Streamlit mounts them anew now and then.

import { desk, give, say } from "./upload_files.js";

// Whether something is dragged that the page says something to: files, or a link from elsewhere,
// which the browser would leave the page for.
function isForUs(event) {
  const types = [...(event.dataTransfer?.types ?? [])];
  return !desk.dragsOwn && (types.includes("Files") || types.includes("text/uri-list"));
}

function overlay() {
  let made = document.querySelector(".fr-drop-overlay");
  if (!made) {
    made = document.createElement("div");
    made.className = "fr-drop-overlay";
    made.append(Object.assign(document.createElement("p"), { textContent: "Drop it anywhere" }));
    document.body.append(made);
  }
  return made;
}

function show(shown) {
  overlay().classList.toggle("fr-shown", shown);
}

function drop(event) {
  if (!isForUs(event)) return; // words that are dragged into a field, say
  event.preventDefault();
  event.stopPropagation();
  show(false);
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length) give(files);
  else say("That was a link and no picture. Save the picture and drop the file.");
}

function paste(event) {
  const files = [...(event.clipboardData?.files ?? [])].filter((f) => f.type.startsWith("image/"));
  if (files.length) {
    event.preventDefault();
    const name = (file) => `Pasted picture.${file.type.split("/")[1]}`;
    give(files.map((file) => new File([file], name(file), { type: file.type })));
  } else if (!event.target.closest?.("input, textarea, [contenteditable=true]")) {
    // Text pasted into a field is left to it; pasted elsewhere it was meant to be a picture.
    say("There is no picture in the clipboard. Copy one and paste again.");
  }
}

function listen() {
  const on = (name, listener) => document.addEventListener(name, listener, true);
  on("dragstart", () => {
    desk.dragsOwn = true;
  });
  on("dragend", () => {
    desk.dragsOwn = false;
  });
  on("dragenter", (event) => isForUs(event) && show(true));
  on("dragover", (event) => {
    if (!isForUs(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    show(true);
  });
  // Left the window, or the drag was given up.
  on("dragleave", (event) => event.relatedTarget === null && show(false));
  on("drop", drop);
  on("paste", paste);
}

export default function ({ data }) {
  desk.limits = data;
  if (desk.listening) return;
  desk.listening = true;
  listen();
}
