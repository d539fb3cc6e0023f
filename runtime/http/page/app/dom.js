// Elements are made here. Texts become text nodes, so no name is ever read as HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] a function is a listener; null, undefined and false leave it out
 * @param {...Child} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Make an element of SVG.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {any}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A button that does something. */
export const button = (text, click, more = {}) => h("button", { type: "button", click, ...more }, text);

/**
 * A button that lets the reader choose files of the disk.
 * @param {string} text
 * @param {Record<string, any>} attributes of the field of files behind it
 * @param {(files: File[]) => void} taken is called with one file or more
 */
export function picker(text, attributes, taken) {
  const change = () => {
    if (input.files.length) taken([...input.files]);
    input.value = ""; // the same file may be chosen again
  };
  const input = h("input", { type: "file", class: "unseen", tabindex: -1, "aria-hidden": "true", ...attributes, change });
  return h("span", {}, input, button(text, () => input.click()));
}

/** A fact in a frame, whose colour tells whether it is good. */
export const chip = (text, is, title) => h("span", { class: "chip", "data-is": is, title }, text);

/**
 * A card with a title.
 * @param {string} id
 * @param {string} title
 * @param {Child[]} beside what stands beside the title
 * @param {...Child} content
 */
export function card(id, title, beside, ...content) {
  const head = h("div", { class: "title" }, h("h2", { id }, title), ...beside);
  return h("section", { class: "card", "aria-labelledby": id }, head, ...content);
}

/**
 * Find an element of index.html.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Put these children in place of all others. One that is there already stays where it is:
 * if it were taken out for a moment, it would lose the focus, and the pointer that draws.
 * @param {Element} node
 * @param {...Child} children
 */
export function replace(node, ...children) {
  const wanted = children.filter(isThere).map(textOrNode);
  for (const child of [...node.childNodes]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, at) => {
    const there = node.childNodes[at] ?? null;
    if (child !== there) node.insertBefore(child instanceof Node ? child : document.createTextNode(child), there);
  });
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (isThere(value)) node.setAttribute(name, String(value));
  }
  node.append(...children.filter(isThere).map(textOrNode));
  return node;
}

const isThere = (child) => child !== null && child !== undefined && child !== false;
const textOrNode = (child) => (child instanceof Node ? child : String(child));
