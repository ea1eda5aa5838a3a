// A new element with a class, and with a text or with properties. A text may be a stranger's: it
// becomes text and never markup.
export function element(tag, className, more) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (typeof more === "object") Object.assign(made, more);
  else if (more !== undefined) made.textContent = more;
  return made;
}
