// What the ways of giving a picture share: each file is looked at here, and those that can be sent
// are handed to Streamlit's uploader, which stands on every page, unseen.

const PATIENCE = 15000;
const TRANSPORT = ".st-key-fr-transport input[type=file]";

// Several components are on the page; they share one desk.
window.fittingRoomUpload ??= {
  limits: { bytes: Number.POSITIVE_INFINITY, files: 8, endings: [], formats: "" },
  refusals: [],
  waiting: [],
  sending: 0,
  watchers: new Set(),
};
export const desk = window.fittingRoomUpload;

export function changed() {
  for (const watcher of desk.watchers) watcher();
}

function named(file) {
  // Signs that are not seen could turn the sentence around them.
  const name = file.name.replace(/[\p{Cc}\p{Cf}]/gu, "");
  return name.length > 60 ? `${name.slice(0, 40)}…${name.slice(-12)}` : name;
}

function inMegabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
}

// Why a file cannot be sent, in one sentence, or nothing where it can.
function refusal(file) {
  const { bytes, endings, formats } = desk.limits;
  const ending = file.name.toLowerCase().match(/\.[a-z0-9]+$/)?.[0] ?? "";
  if (!file.type.startsWith("image/") && !endings.includes(ending))
    return `${named(file)} is not a picture that can be read here. ${formats} are.`;
  if (!file.size) return `${named(file)} is empty. Choose it again, or another one.`;
  if (file.size > bytes)
    return `${named(file)} has ${inMegabytes(file.size)}; at most ${inMegabytes(bytes)} can be sent.`;
  return "";
}

export function say(...sentences) {
  desk.refusals = sentences;
  // What the server said of the last attempt is over with this one.
  document.documentElement.dataset.frAttempt = "new";
  changed();
}

// Take files in: the good ones are sent, the others named, in place of those of the last time.
export function give(files) {
  const sentences = [];
  const good = [];
  for (const file of files) {
    const why = refusal(file);
    if (why) sentences.push(why);
    else good.push(file);
  }
  if (good.length > desk.limits.files) {
    good.length = desk.limits.files;
    sentences.push(`Only the first ${desk.limits.files} pictures are searched with.`);
  }
  say(...sentences);
  if (!good.length) return;
  desk.waiting.push({ files: good, since: performance.now() });
  changed();
  if (desk.waiting.length === 1) sendNext();
}

// How many pictures are on their way or wait for it.
export function onTheirWay() {
  return desk.waiting.reduce((sum, { files }) => sum + files.length, desk.sending);
}

// Send what waits, in its order and each when that before it has arrived: a page that is being drawn
// for one picture must not have the next one come into it. While the connection comes back, the
// uploader takes nothing: it is waited for. Neither is waited for without end.
function sendNext() {
  if (!desk.waiting.length) return;
  const input = document.querySelector(TRANSPORT);
  const [{ files, since }] = desk.waiting;
  const isOver = performance.now() - since > PATIENCE;
  const hinders = !input || input.disabled;
  if (hinders && isOver) {
    desk.waiting = [];
    settled();
    say("The server cannot be reached. Reload the page and give the picture again.");
  } else if (hinders || (desk.sending && !isOver)) {
    setTimeout(sendNext, 200);
  } else {
    desk.waiting.shift();
    send(files, input);
    sendNext();
  }
}

function send(files, input) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  desk.sending = files.length;
  desk.failed?.disconnect();
  desk.failed = watchForFailure(input.closest(".st-key-fr-transport"));
  changed();
}

// Streamlit says it within the uploader, which nobody sees, when a file does not arrive.
function watchForFailure(transport) {
  const failures = () =>
    transport.querySelectorAll("[data-testid*=Error i], [class*=error i]").length;
  // It keeps those of earlier attempts for a while.
  let before = failures();
  const observer = new MutationObserver(() => {
    const now = failures();
    const isNew = now > before;
    before = now;
    if (!isNew) return;
    settled();
    say("The picture did not arrive. Give it again, or a smaller one.");
  });
  observer.observe(transport, { childList: true, subtree: true });
  return observer;
}

// What was sent has arrived, or has failed.
export function settled() {
  desk.failed?.disconnect();
  desk.failed = null;
  desk.sending = 0;
  changed();
}
