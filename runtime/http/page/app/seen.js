// What the model really saw: its own item, and the steps to it. A wrong preprocessing shows here.

import { h, replace } from "./dom.js";
import { score, shape } from "./words.js";

const NAMES = { decoded: "as sent", size: "resized", polarity: "polarity", fit: "fitted", invert: "inverted" };

export class Seen {
  constructor() {
    this._picture = h("img", { class: "tensor", alt: "" });
    this._steps = h("div", { class: "steps" });
    this._numbers = h("small");
    this.node = h("div", { class: "seen" }, h("h3", {}, "What the model saw"), this._picture, h("div", {}, this._numbers), this._steps);
    this.clear();
  }

  clear() {
    this._picture.hidden = true;
    this._numbers.textContent = "Nothing yet.";
    replace(this._steps);
  }

  /**
   * @param {{name: string, shape: number[], png: string}[]} steps
   * @param {any} tensor
   */
  show(steps, tensor) {
    const address = (step) => `data:image/png;base64,${step.png}`;
    this._picture.src = address(steps.at(-1));
    this._picture.alt = `The model's input, ${shape(tensor.shape)}`;
    this._picture.hidden = false;
    this._numbers.textContent = `${tensor.shape.join(" × ")} ${tensor.dtype}, ${number(tensor.min)} to ${number(tensor.max)}, mean ${number(tensor.mean)}`;
    replace(
      this._steps,
      ...(steps.length > 1 ? steps : []).map((step) =>
        h("figure", { title: shape(step.shape) }, h("img", { src: address(step), alt: "" }), h("figcaption", {}, NAMES[step.name] ?? step.name)),
      ),
    );
  }
}

const number = (value) => (Number.isInteger(value) ? String(value) : score(value));
