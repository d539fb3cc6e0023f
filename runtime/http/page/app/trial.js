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
  if (columnsOf(version)) return "row";
  if (inputs?.length !== 1) return "json";
  const [{ dtype, shape }] = inputs;
  if (shape.length === 4 && [1, 3].includes(shape[3]) && !("img_channels" in params)) return "picture";
  const isRow = shape.length === 2 && shape[1] > 0 && shape[1] <= MOST_FEATURES;
  return isRow && /^(float|int|uint)/.test(dtype) ? "row" : "json";
}

/**
 * The inputs that take one value of a row each, in the order of the features; null if the
 * model has no such inputs.
 * @param {any} version
 * @returns {{name: string, dtype: string}[] | null}
 */
function columnsOf(version) {
  const { features } = version.params;
  const named = new Map((version.inputs ?? []).map((input) => [input.name, input]));
  const isNamed = features?.length === named.size && features.every((name) => named.has(name));
  return isNamed && named.size && named.size <= MOST_FEATURES ? features.map((name) => named.get(name)) : null;
}

/** Whether a type is one of texts. */
export const isText = (dtype) => !/^(float|int|uint|bool)/.test(dtype);

/**
 * The types of a row's values, in their order.
 * @param {any} version
 * @returns {string[]}
 */
export function typesOf(version) {
  const columns = columnsOf(version);
  return featuresOf(version).map((_, at) => (columns ?? version.inputs)[columns ? at : 0].dtype);
}

/**
 * The names of a row's values.
 * @param {any} version
 * @returns {string[]}
 */
export function featuresOf(version) {
  const named = version.params.features ?? [];
  if (columnsOf(version)) return named;
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
