// Numbers and times, written for people.

/** @param {number} bytes */
export function size(bytes) {
  for (const unit of ["B", "kB", "MB"]) {
    if (bytes < 1000) return `${bytes < 10 && unit !== "B" ? bytes.toFixed(1) : Math.round(bytes)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(1)} GB`;
}

/**
 * Write a number with some three digits.
 * @param {number | null} number
 */
export function short(number) {
  if (number === null || !Number.isFinite(number)) return "–";
  const large = Math.abs(number);
  if (large >= 10000) return `${Math.round(number / 1000)}k`;
  if (large >= 100 || large < 0.005) return String(Math.round(number));
  return number.toFixed(large >= 10 ? 1 : 2);
}

/** @param {number} difference of a proof, such as 1.0e-6 */
export function tiny(difference) {
  return difference === 0 ? "0" : difference.toExponential(1);
}

/** @param {number} score */
export function score(score) {
  return Math.abs(score) >= 1000 ? score.toPrecision(4) : score.toFixed(3);
}

/** @param {string} timestamp in ISO 8601 */
export function date(timestamp) {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return "–";
  const isOld = time.getFullYear() !== new Date().getFullYear();
  return time.toLocaleString([], { year: isOld ? "numeric" : undefined, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}

/** @param {Date} time */
export function clock(time) {
  return time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** A count with its noun. */
export const many = (count, noun, nouns = `${noun}s`) => `${count} ${count === 1 ? noun : nouns}`;

/** @param {(number | null)[]} shape */
export function shape(shape) {
  return `(${shape.map((side) => side ?? "any").join(", ")})`;
}

/** "onnxruntime/CPUExecutionProvider" and its like, without what every device has. */
export function engine(backend, device) {
  return `${backend} ${String(device ?? "").replace("ExecutionProvider", "")}`.trim();
}
