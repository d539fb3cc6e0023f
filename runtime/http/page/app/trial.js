// Which way a model is tried: with pictures, with a row of features, or with JSON.

import { Gone, Refused } from "./api.js";
import { engine } from "./words.js";

const MOST_FEATURES = 100;

/**
 * Tell what a version takes.
 * @param {any} version its description, with its inputs
 * @returns {"picture" | "row" | "json"}
 */
export function kindOf(version) {
  const { inputs, params } = version;
  if (params.img_channels > 0) return "picture";
  if (inputs?.length !== 1) return "json";
  const [{ dtype, shape }] = inputs;
  if (shape.length === 4 && [1, 3].includes(shape[3]) && !("img_channels" in params)) return "picture";
  const isRow = shape.length === 2 && shape[1] > 0 && shape[1] <= MOST_FEATURES;
  return isRow && /^(float|int|uint)/.test(dtype) ? "row" : "json";
}

/**
 * The names of a row's values.
 * @param {any} version
 * @returns {string[]}
 */
export function featuresOf(version) {
  const named = version.params.features ?? [];
  const count = version.inputs[0].shape[1];
  return Array.from({ length: count }, (_, at) => named[at] ?? `value ${at + 1}`);
}

/**
 * The sentence for a trial that failed.
 * @param {unknown} error
 */
export function refusal(error) {
  if (error instanceof Refused && error.status === 401) {
    return `Locked: ${error.message}. Give a token with the button “token” above.`;
  }
  if (error instanceof Refused || error instanceof Gone) return error.message;
  throw error;
}

/**
 * The line below an answer: the time that it took, and who answered.
 * @param {Response} reply
 * @param {number} start
 */
export function under(reply, start) {
  const [backend, device] = (reply.headers.get("X-Model-Backend") ?? "").split("/");
  return `${(performance.now() - start).toFixed(0)} ms there and back · ${engine(backend, device)}`;
}
