// An answer follows what its reader does, without a request for each move.

const PAUSE = 100; // milliseconds between two requests

/**
 * Sends the newest value: at most one each PAUSE, the last one always. A request that a
 * newer one overtakes is cancelled.
 * @template T
 */
export class Follower {
  /** @param {(value: T, signal: AbortSignal) => Promise<void>} send */
  constructor(send) {
    this._send = send;
    this._timer = 0;
    this._last = 0;
    /** @type {AbortController | null} */
    this._running = null;
  }

  /** @param {() => Promise<T> | T} make makes the value when it is sent */
  offer(make) {
    clearTimeout(this._timer);
    const wait = Math.max(0, this._last + PAUSE - performance.now());
    this._timer = setTimeout(() => this._begin(make), wait);
  }

  stop() {
    clearTimeout(this._timer);
    this._running?.abort();
  }

  async _begin(make) {
    this._last = performance.now();
    this._running?.abort();
    const running = (this._running = new AbortController());
    try {
      await this._send(await make(), running.signal);
    } catch (error) {
      if (!running.signal.aborted) throw error;
    }
  }
}
