// Trying any other model: its inputs by name, as JSON.

import { contentOf, send } from "./api.js";
import { button, h } from "./dom.js";
import { refusal } from "./trial.js";
import { shape } from "./words.js";

const MOST = 64; // so many numbers of an input are written as a start

export class JsonTrial {
  /** @param {any} version */
  constructor(version) {
    this._version = version;
    const id = "inputs";
    this._text = h("textarea", {
      id,
      rows: 10,
      spellcheck: "false",
      keydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this._send();
      },
    });
    this._text.value = JSON.stringify(example(version.inputs ?? []), null, 1).replace(/\n\s*(-?\d|\])/g, " $1");
    this._answer = h("pre", { "aria-live": "polite", tabindex: 0 }, "Nothing was asked yet.");
    const rows = (version.inputs ?? []).map((input) =>
      h("tr", {}, h("td", {}, h("code", {}, input.name)), h("td", {}, input.dtype), h("td", {}, shape(input.shape))),
    );
    this.node = h(
      "div",
      { class: "two" },
      h(
        "div",
        {},
        h("h3", {}, "This model takes"),
        h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, ...rows))),
        h("label", { for: id }, "Inputs by name, as nested lists"),
        this._text,
        h("p", {}, button("Send", () => this._send(), { class: "main" }), h("small", {}, " or Ctrl+Enter")),
      ),
      h("div", {}, h("h3", {}, "It answers"), this._answer),
    );
  }

  stop() {}

  async _send() {
    let inputs;
    try {
      inputs = JSON.parse(this._text.value);
    } catch (error) {
      this._answer.textContent = `This is no JSON: ${error.message}`;
      return;
    }
    const { name, version } = this._version;
    try {
      const reply = await send("predict/json", { model: name, version, inputs });
      this._answer.textContent = JSON.stringify((await contentOf(reply)).outputs, null, 1);
    } catch (error) {
      this._answer.textContent = refusal(error);
    }
  }
}

/** Make inputs of zeros; a free axis gets one. */
function example(inputs) {
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }) => {
      const sides = shape.map((side) => side ?? 1);
      const count = sides.reduce((all, side) => all * side, 1);
      const zero = /^(str|object|bytes|<U)/.test(dtype) ? "" : dtype === "bool" ? false : 0;
      return [name, count > MOST ? [] : sides.reduceRight((inner, side) => Array(side).fill(inner), zero)];
    }),
  );
}
