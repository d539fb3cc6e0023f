// Trying a model of rows: a form of its features.

import { contentOf, send } from "./api.js";
import { Bars } from "./bars.js";
import { h } from "./dom.js";
import { Follower } from "./follower.js";
import { featuresOf, isText, refusal, typesOf, under } from "./trial.js";

export class RowTrial {
  /** @param {any} version */
  constructor(version) {
    this._version = version;
    this._follower = new Follower((values, signal) => this._send(values, signal));
    this._bars = new Bars();
    const types = typesOf(version);
    this._fields = featuresOf(version).map((name, at) => {
      if (isText(types[at])) return h("input", { type: "text", name, autocomplete: "off" });
      if (types[at] === "bool") return h("input", { type: "checkbox", name });
      return h("input", { type: "number", step: "any", value: 0, name, required: true, inputmode: "decimal" });
    });
    const offer = () => this._offer();
    this.node = h(
      "div",
      { class: "two" },
      h(
        "form",
        {
          input: offer,
          submit: (event) => {
            event.preventDefault();
            offer();
          },
        },
        h("div", { class: "features" }, ...this._fields.map((field) => h("label", {}, field.name, field))),
        h("p", {}, h("button", { type: "submit" }, "Send")),
      ),
      this._bars.node,
    );
    this._offer();
  }

  stop() {
    this._follower.stop();
  }

  _offer() {
    const wrong = this._fields.find((field) => !field.checkValidity());
    if (wrong) this._bars.say(`“${wrong.name}” is no number yet.`);
    else this._follower.offer(() => this._fields.map(valueOf));
  }

  async _send(values, signal) {
    const { name, version, classes, params } = this._version;
    const start = performance.now();
    try {
      const reply = await send("predict/json", { model: name, version, keys: params.features, values }, { signal });
      const scores = await contentOf(reply, signal);
      this._bars.show(scores.flat(Infinity), classes, under(reply, start));
    } catch (error) {
      if (!signal.aborted) this._bars.say(refusal(error), true);
    }
  }
}

/** @param {HTMLInputElement} field */
function valueOf(field) {
  if (field.type === "checkbox") return field.checked;
  return field.type === "number" ? field.valueAsNumber : field.value;
}
