// The live figures: one small reply a second, while somebody looks at the page.

import { Gone, read } from "./api.js";

const SECOND = 1000;
const PATIENCE = 10_000; // milliseconds after which a service that says nothing is gone
export const HISTORY = 300; // seconds
// A rate is the difference of two readings that are so many seconds apart.
const WINDOW = 3;

/** The sums of a model that had no request yet. */
const NOTHING = { requests: 0, failed: 0, seconds: 0, queue: 0, runs: 0, items: 0, buckets: [] };

export class Live {
  /**
   * @param {{figures: (reading: any) => void, failed: (error: unknown) => void}} on
   */
  constructor(on) {
    this._on = on;
    /** @type {any[]} */
    this._readings = [];
    this._timer = 0;
    this._isAsking = false;
    /** The name of the model that must be among the figures. */
    this.model = "";
    document.addEventListener("visibilitychange", () => this._next(0));
  }

  start() {
    this._next(0);
  }

  _next(wait) {
    clearTimeout(this._timer);
    if (!document.hidden) this._timer = setTimeout(() => this._ask(), wait);
  }

  async _ask() {
    if (this._isAsking) return;
    this._isAsking = true;
    const start = performance.now();
    const asking = new AbortController();
    const silence = setTimeout(() => asking.abort(new Gone("the service is silent")), PATIENCE);
    try {
      const path = this.model ? `live?model=${encodeURIComponent(this.model)}` : "live";
      this._take(await read(path, { signal: asking.signal }));
    } catch (error) {
      this._on.failed(error);
    } finally {
      clearTimeout(silence);
      this._isAsking = false;
      this._next(Math.max(0, start + SECOND - performance.now()));
    }
  }

  _take(reading) {
    const last = this._readings.at(-1);
    // The reply of another process may be older than the last one. After a restart of
    // the machine its clock begins anew.
    if (last && reading.at < last.at && last.at - reading.at > 60) this._readings = [];
    if (!last || reading.at > last.at) {
      reading.byName = new Map(reading.models.map((model) => [model.name, model]));
      // Without this, each reading would hold the same models twice.
      reading.isWhole = reading.models.reduce((sum, model) => sum + model.requests, 0) === reading.all.requests;
      this._readings.push(reading);
      while (this._readings[0].at < reading.at - HISTORY - WINDOW) this._readings.shift();
    }
    this._on.figures(reading);
  }

  /**
   * The figures of a model, or of all together, now.
   * @param {string} name
   */
  now(name) {
    return this._between(this._readings.length - 1, name);
  }

  /**
   * The figures of the last five minutes, oldest first.
   * @param {string} name empty for all models together
   */
  history(name) {
    const end = this._readings.at(-1)?.at ?? 0;
    return this._readings.map((reading, at) => ({ ago: end - reading.at, ...this._between(at, name) }));
  }

  _between(at, name) {
    const none = { rate: null, p50: null, p99: null, waiting: null, batch: null };
    const last = this._readings[at];
    let from = at - 1;
    while (from > 0 && last.at - this._readings[from].at < WINDOW) from--;
    if (!last || from < 0) return none;
    const first = this._readings[from];
    const [before, after] = [sumsOf(first, name), sumsOf(last, name)];
    if (!before || !after || after.requests < before.requests) return none;
    const seconds = last.at - first.at;
    const counts = after.buckets.map((count, place) => count - (before.buckets[place] ?? 0));
    const runs = after.runs - before.runs;
    return {
      rate: (after.requests - before.requests) / seconds,
      p50: quantile(0.5, counts, last.bounds),
      p99: quantile(0.99, counts, last.bounds),
      // Little's law: the time that all waited, per time that went by.
      waiting: Math.max(0, after.queue - before.queue) / seconds,
      batch: runs > 0 ? (after.items - before.items) / runs : null,
    };
  }
}

function sumsOf(reading, name) {
  if (!name) return reading.all;
  return reading.byName.get(name) ?? (reading.isWhole ? NOTHING : null);
}

/** The milliseconds below which a share of the requests stayed, in equal steps inside a bucket. */
function quantile(share, counts, bounds) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all <= 0) return null;
  let left = share * all;
  for (let place = 0; place < counts.length; place++) {
    if (counts[place] >= left && counts[place] > 0) {
      const low = place ? bounds[place - 1] : 0;
      const high = bounds[place] ?? low; // slower than the last bound
      return 1000 * (low + ((high - low) * left) / counts[place]);
    }
    left -= counts[place];
  }
  return 1000 * bounds.at(-1);
}
