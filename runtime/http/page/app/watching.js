// Whether the version on show is still right: its live parity and its drift.

import { Gone, Refused, pathOf, read } from "./api.js";
import { notice } from "./dialog.js";
import { card, chip, h, replace } from "./dom.js";
import { many, short, tiny } from "./words.js";

// Milliseconds between two questions. The windows are an hour long, and one difference is enough.
const PAUSE = 30_000;

const PARITY = {
  waiting: ["", "nothing is compared yet"],
  agrees: ["good", "TensorFlow agrees"],
  differs: ["warn", "TensorFlow differs"],
  "not comparable": ["", "not comparable"],
};
const DRIFT = {
  "too few": ["", "too few items to judge", ""],
  same: ["good", "like the test set", ""],
  moved: ["warn", "moved", "Look at it: perhaps another camera, or other users."],
  drifted: ["bad", "drifted", "The test accuracy says little about these inputs. Train with inputs like them."],
};
const FIGURES = { predicted: "predicted class", confidence: "score", mean: "mean", spread: "spread", clipped: "clipped pixels" };

/** The card of what `watching` tells; hidden while that is nothing. */
export class Watching {
  constructor() {
    this._body = h("div", { class: "two" });
    this.node = card("watching", "Is it still right?", [h("small", {}, "real requests, all workers together")], this._body);
    this._version = null;
    setInterval(() => this._follow(), PAUSE);
  }

  /** @param {any} version the one on show */
  choose(version) {
    // A worker that has not loaded the version knows nothing of what the others tell.
    if (version.watching || keyOf(version) !== keyOf(this._version)) this._version = version;
    const parts = partsOf(this._version);
    this.node.hidden = parts.length === 0;
    replace(this._body, ...parts);
  }

  async _follow() {
    const version = this._version;
    if (document.hidden || !version || !this.node.isConnected) return;
    if (version.watching && this.node.hidden) return; // it is not watched
    try {
      const found = await read(pathOf(version.name, version.version));
      if (keyOf(found) === keyOf(this._version)) this.choose(found);
    } catch (error) {
      // The live figures tell of a service that is gone or locked.
      if (!(error instanceof Gone || error instanceof Refused)) throw error;
    }
  }
}

const keyOf = (version) => version && JSON.stringify([version.name, version.version, version.timestamp]);

function partsOf({ watching, fallback_reason: fellBack }) {
  const parts = [];
  if (watching?.parity.state in PARITY) parts.push(parityPart(watching.parity, fellBack));
  if (watching?.drift?.state in DRIFT) parts.push(driftPart(watching.drift));
  return parts;
}

function parityPart(parity, fellBack) {
  const { share, compared, differing, failed, dropped } = parity;
  const [is, word] = PARITY[parity.state];
  const figures = [
    `${share} % of the requests asked`,
    `${compared} compared`,
    many(differing, "difference"),
    differing > 0 && `largest ${tiny(parity.max_abs_diff)}`,
    failed > 0 && `TensorFlow failed on ${failed}`,
    dropped > 0 && `${dropped} left out`,
  ];
  const reason = parity.state === "differs" ? fellBack && `TensorFlow answers now: ${fellBack}` : parity.reason;
  return part("Live parity: TensorFlow answers some requests, too", is, word, figures, reason);
}

function driftPart({ state, items, least_items: least, seconds, psi }) {
  const [is, word, advice] = DRIFT[state];
  const time = seconds < 120 ? many(seconds, "second") : many(Math.round(seconds / 60), "minute");
  const most = Math.max(...Object.values(psi).map((index) => index ?? 0));
  const figures = [
    `${many(items, "item")} in the last ${time}`,
    state === "too few" && `${least} are needed`,
    ...Object.entries(psi).map(([figure, index]) => index !== null && chip(`${FIGURES[figure] ?? figure} ${short(index)}`, index === most ? is : "", index === most ? "It moved most, and decides." : null)),
  ];
  return part("Drift: how far inputs and answers lie from the test set (PSI)", is, word, figures, advice);
}

function part(title, is, word, figures, sentence) {
  const facts = figures.filter(Boolean).map((one) => (one instanceof Node ? one : chip(one)));
  return h("div", {}, h("h3", {}, title), h("div", { class: "chips" }, chip(word, is), ...facts), sentence && notice(is, sentence));
}
