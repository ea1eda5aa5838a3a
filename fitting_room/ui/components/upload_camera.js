// The camera: shown in place, frozen with the shot, and switched off at once. Nothing of it runs
// before it is asked for, and no question of the browser's comes back after it.

const REASONS = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it beside the address.",
  NotFoundError: "No camera was found. Choose a picture instead.",
  OverconstrainedError: "No camera was found. Choose a picture instead.",
  NotReadableError: "The camera is used by another program. Close that one and try again.",
};

// Opens the camera within `place`; calls `taken` with a file, or `ended` with a reason or nothing.
export async function openCamera(place, taken, ended) {
  const video = Object.assign(document.createElement("video"), {
    autoplay: true, muted: true, playsInline: true, ariaLabel: "What the camera sees",
  });
  const row = document.createElement("div");
  row.className = "fr-upload-row";
  const button = (label, className, act) => {
    const made = Object.assign(document.createElement("button"), {
      type: "button", textContent: label, className,
    });
    made.addEventListener("click", act);
    row.append(made);
    return made;
  };
  let stream = null;
  const off = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
  };
  const shoot = button("Take photo", "fr-upload-main", () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Your photo");
    canvas.getContext("2d").drawImage(video, 0, 0);
    off();
    place.replaceChildren(canvas);
    canvas.toBlob(
      (blob) => taken(new File([blob], "Camera picture.jpg", { type: "image/jpeg" })),
      "image/jpeg",
      0.92,
    );
  });
  shoot.disabled = true;
  button("Close the camera", "", () => {
    off();
    ended("");
  });
  place.replaceChildren(video, row);
  try {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    const asked = { video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } } };
    stream = await navigator.mediaDevices.getUserMedia(asked);
  } catch (error) {
    const insecure = "The camera needs a secure address (https). Choose a picture instead.";
    ended(REASONS[error.name] ?? (navigator.mediaDevices ? "The camera cannot be used." : insecure));
    return off;
  }
  if (!place.isConnected) {
    off();
    return off;
  }
  video.srcObject = stream;
  video.addEventListener("playing", () => {
    shoot.disabled = false;
    shoot.focus({ preventScroll: true });
  });
  return off;
}
