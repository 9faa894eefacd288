// What all widgets share: making elements.

/** An element with attributes and children; text is always text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button; JupyterLab's own shortcuts stay away from it. */
function button(text, attributes, onClick, signal) {
  const made = make("button", { type: "button", "data-lm-suppress-shortcuts": "true", ...attributes }, text);
  made.addEventListener("click", onClick, { signal });
  return made;
}
