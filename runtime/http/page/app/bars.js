// The answer of a model: the best class, and a bar for each.

import { h, replace } from "./dom.js";
import { score } from "./words.js";

const FIXED = 12; // so many classes stay in their order; of more, the best ones are shown
const BEST = 10;
const QUIET = 600; // milliseconds after which a screen reader hears the answer

export class Bars {
  constructor() {
    this._best = h("div", { class: "verdict" });
    this._list = h("ol", { class: "bars" });
    this._spoken = h("p", { class: "unseen", "aria-live": "polite" });
    this._under = h("small");
    this.node = h("div", { class: "answer" }, this._best, this._list, this._under, this._spoken);
    this._names = "";
    this._timer = 0;
  }

  /**
   * Show a sentence in place of an answer.
   * @param {string} sentence
   * @param {boolean} [isBad]
   */
  say(sentence, isBad = false) {
    this._names = "";
    replace(this._best, h("span", { class: isBad ? "notice" : "soft", "data-is": isBad ? "bad" : null }, sentence));
    replace(this._list);
    this._under.textContent = "";
    this._speak(isBad ? sentence : "");
  }

  /**
   * Show the scores of the classes.
   * @param {number[]} scores
   * @param {string[]} classes their names; without enough of them, they are numbered
   * @param {string} under a line below
   */
  show(scores, classes, under) {
    if (!Array.isArray(scores) || !scores.every((one) => typeof one === "number")) {
      this.say(JSON.stringify(scores).slice(0, 2000));
      this._under.textContent = under;
      return;
    }
    // A single score of two classes belongs to the second.
    if (scores.length === 1 && classes.length === 2) scores = [1 - scores[0], scores[0]];
    const all = scores.map((value, at) => ({ name: classes[at] ?? String(at), value }));
    const top = all.reduce((best, one) => (one.value > best.value ? one : best), all[0]);
    const shown = all.length <= FIXED ? all : [...all].sort((a, b) => b.value - a.value).slice(0, BEST);
    const names = JSON.stringify(shown.map((one) => one.name));
    if (names !== this._names) {
      this._names = names;
      replace(
        this._list,
        ...shown.map((one) =>
          h(
            "li",
            {},
            h("span", { class: "of", title: one.name }, one.name),
            h("span", { class: "bar" }, h("i")),
            h("span", { class: "number" }),
          ),
        ),
      );
    }
    const largest = Math.max(1, ...all.map((one) => Math.abs(one.value)));
    shown.forEach((one, at) => {
      const row = this._list.children[at];
      row.classList.toggle("best", one === top);
      row.querySelector("i").style.width = `${(100 * Math.max(0, one.value)) / largest}%`;
      row.lastElementChild.textContent = score(one.value);
    });
    const said = isShare(scores) ? `${(100 * top.value).toFixed(1)} %` : score(top.value);
    replace(this._best, h("b", {}, top.name), h("span", { class: "soft" }, said));
    this._under.textContent = under;
    this._speak(`${top.name}, ${said}`);
  }

  _speak(text) {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => (this._spoken.textContent = text), QUIET);
  }
}

function isShare(scores) {
  const sum = scores.reduce((all, one) => all + one, 0);
  return Math.abs(sum - 1) < 0.01 && scores.every((one) => one > -0.001);
}
