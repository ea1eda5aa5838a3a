// Listens for pictures pasted anywhere on the page and hands them over as base64. A picture that is
// too large is drawn smaller first.

const LONGEST_SIDE = 1600;

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

export default function ({ data, setTriggerValue }) {
  const paste = async (event) => {
    const field = event.target.closest?.("input, textarea, [contenteditable=true]");
    const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (!file) {
      // Text pasted into a field is none of ours; pasted beside one it was meant as a picture.
      if (!field) setTriggerValue("picture", { problem: "none" });
      return;
    }
    event.preventDefault();
    try {
      const blob = file.size > data.most ? await smaller(file) : file;
      if (blob.size > data.most) setTriggerValue("picture", { problem: "large" });
      else setTriggerValue("picture", { data: await base64(blob) });
    } catch {
      setTriggerValue("picture", { problem: "large" });
    }
  };
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}
