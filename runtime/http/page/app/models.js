// The list of models, with a filter and each model's live figures.

import { byId, h, replace } from "./dom.js";
import { engine, many, short } from "./words.js";

const ABSENT = "not in memory";

/**
 * The state of a model in a word, and its colour.
 * @param {any} model a description of GET /models, or of a version
 * @returns {["good" | "warn" | "bad" | "", string]}
 */
export function stateOf(model) {
  if (model.error && !model.backend) return ["bad", "broken"];
  if (!model.backend) return ["", ABSENT];
  if (model.error) return ["warn", "an earlier version stands in"];
  if (model.backend !== "onnxruntime") return ["warn", "TensorFlow answers"];
  return model.proved ? ["good", "proved"] : ["warn", "unproved"];
}

export class ModelList {
  constructor() {
    this._list = byId("models");
    this._filter = byId("filter");
    this._filter.addEventListener("input", () => this._hide());
    /** @type {Map<string, {row: HTMLElement, state: HTMLElement, figures: HTMLElement}>} */
    this._rows = new Map();
  }

  /**
   * Show the models.
   * @param {any[]} models
   * @param {string} chosen the name of the one on show
   */
  show(models, chosen) {
    this._rows.clear();
    const rows = models.map((model) => {
      const [is, word] = stateOf(model);
      const figures = h("span");
      const state = h("span", {}, model.backend ? engine(model.backend, model.device) : word);
      const link = h(
        "a",
        { href: `#/${encodeURIComponent(model.name)}`, "aria-current": model.name === chosen ? "page" : null },
        h("span", { class: "dot", "data-is": is, title: word }),
        h("span", { class: "who" }, model.name),
        h("span", { class: "soft number" }, model.version === undefined ? "" : `v${model.version}`),
        h("small", {}, state, figures),
        h("span", { class: "unseen" }, word),
      );
      const row = h("li", {}, link);
      this._rows.set(model.name, { row, state, figures });
      return row;
    });
    replace(this._list, ...rows);
    this._filter.hidden = models.length === 0;
    this._filter.placeholder = `Filter ${many(models.length, "model")} …`;
    this._hide();
  }

  /** @param {(name: string) => {rate: number | null, p50: number | null}} figuresOf */
  showFigures(figuresOf) {
    for (const [name, { state, figures }] of this._rows) {
      const { rate, p50 } = figuresOf(name);
      // The description comes from one worker, and the figures from all.
      if (rate > 0 && state.textContent === ABSENT) state.textContent = "in another worker";
      figures.textContent = rate === null ? "" : rate === 0 ? "idle" : `${short(rate)}/s${p50 === null ? "" : ` · ${short(p50)} ms`}`;
    }
  }

  _hide() {
    const wanted = this._filter.value.trim().toLowerCase();
    for (const [name, { row }] of this._rows) row.hidden = !name.toLowerCase().includes(wanted);
  }
}
