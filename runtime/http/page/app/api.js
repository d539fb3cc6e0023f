// Requests to the service. The token stays in this tab and goes into a header alone.

/** The service's address, with its base and a slash; the page's files lie below it. */
export const root = new URL("../", import.meta.url).href;

const KEY = "token";
const HEADER = document.documentElement.dataset.tokenHeader || "Authorization";

/** The service refused a request; its sentence says why. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} sentence
   */
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** The service does not answer. */
export class Gone extends Error {}

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  /** @param {string} value */
  set(value) {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  },
  header: HEADER,
};

/** @returns {Record<string, string>} */
export function tokenHeaders() {
  return token.get() ? { [HEADER]: `Bearer ${token.get()}` } : {};
}

/**
 * Send a request.
 * @param {string} path below the root
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} a reply of success
 */
export async function ask(path, init = {}) {
  let reply;
  try {
    reply = await fetch(root + path, { ...init, headers: { ...init.headers, ...tokenHeaders() } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Gone("the service does not answer");
  }
  if (!reply.ok) throw new Refused(reply.status, sentenceOf(await reply.text().catch(() => ""), reply.status));
  return reply;
}

/**
 * Send a request, and read the JSON of its reply.
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
export async function read(path, init) {
  return contentOf(await ask(path, init), init?.signal);
}

/**
 * Read the JSON of a reply. Without it, the service broke off, or a proxy answers for it.
 * @param {Response} reply
 * @param {AbortSignal | null} [signal] that of the request
 * @returns {Promise<any>}
 */
export async function contentOf(reply, signal) {
  try {
    return await reply.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Gone("the service does not answer in JSON");
  }
}

/**
 * Send a value as JSON.
 * @param {string} path
 * @param {unknown} value
 * @param {RequestInit} [init]
 */
export function send(path, value, init = {}) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", ...init, headers, body: JSON.stringify(value) });
}

/**
 * Find the service's own sentence in the body of an error.
 * @param {string} text
 * @param {number} status
 */
export function sentenceOf(text, status) {
  try {
    return String(JSON.parse(text).error);
  } catch {
    return text.trim().slice(0, 300) || `the service answered ${status}`;
  }
}

/**
 * The path of a model, or of a version.
 * @param {string} name
 * @param {number} [version]
 */
export function pathOf(name, version) {
  const model = `models/${encodeURIComponent(name)}`;
  return version === undefined ? model : `${model}/${version}`;
}
