// Listens for pictures pasted anywhere on the page and hands them over as base64. A picture that is
// too large is drawn smaller first. Streamlit mounts a component anew now and then, the new one
// before or after the old one goes: so one listener serves whichever is there, and keeps what was
// pasted in between.

const LONGEST_SIDE = 1600;
// Milliseconds for which a paste is kept; on a page that takes no pictures it is forgotten.
const KEEP_FOR = 3000;

async function smaller(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(bitmap.width * scale)),
    Math.max(1, Math.round(bitmap.height * scale)),
  );
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 32768)
    text += String.fromCharCode(...bytes.subarray(start, start + 32768));
  return btoa(text);
}

window.fittingRoomPaste ??= { receivers: [], waiting: null };
const desk = window.fittingRoomPaste;

function send(value) {
  const receiver = desk.receivers.at(-1);
  if (receiver) receiver.setTriggerValue("picture", value);
  else desk.waiting = { value, since: performance.now() };
}

async function paste(event) {
  const field = event.target.closest?.("input, textarea, [contenteditable=true]");
  const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
  if (!file) {
    // Text pasted into a field is left to it; pasted elsewhere it was meant to be a picture.
    if (!field) send({ problem: "none" });
    return;
  }
  event.preventDefault();
  try {
    const blob = file.size > desk.most ? await smaller(file) : file;
    send(blob.size > desk.most ? { problem: "large" } : { data: await base64(blob) });
  } catch {
    send({ problem: "large" });
  }
}

export default function ({ data, setTriggerValue }) {
  const receiver = { setTriggerValue };
  desk.receivers.push(receiver);
  desk.most = data.most;
  if (!desk.listening) {
    document.addEventListener("paste", paste);
    desk.listening = true;
  }
  if (desk.waiting && performance.now() - desk.waiting.since < KEEP_FOR) send(desk.waiting.value);
  desk.waiting = null;
  return () => {
    desk.receivers = desk.receivers.filter((other) => other !== receiver);
  };
}
