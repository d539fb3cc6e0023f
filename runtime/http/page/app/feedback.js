// Feedback: the reader tells the right class of a picture, and the service keeps both.

import { ask, contentOf } from "./api.js";
import { button, h } from "./dom.js";
import { refusal } from "./trial.js";

export class Feedback {
  /** @param {any} version a version with classes */
  constructor(version) {
    this._version = version;
    this._picture = null;
    const options = [h("option", { value: "" }, "…"), ...version.classes.map((name) => h("option", { value: name }, name))];
    this._right = h("select", { change: () => this._say("") }, ...options);
    this._said = h("small", { role: "status" });
    const keep = button("Keep it", () => this._keep());
    this.node = h("p", { class: "feedback", hidden: true }, h("label", {}, "Wrong? It was a ", this._right), keep, this._said);
  }

  /**
   * Offer to keep a picture that was answered. A drawing that goes on keeps its class.
   * @param {Blob} picture
   */
  offer(picture) {
    this._picture = picture;
    this._say("");
    this.node.hidden = false;
  }

  /** Forget the picture and its class. */
  clear() {
    this._picture = null;
    this._right.value = "";
    this._say("");
    this.node.hidden = true;
  }

  async _keep() {
    const [picture, label] = [this._picture, this._right.value];
    if (!label) {
      this._say("Choose the right class first.");
      return;
    }
    this._say("Sending …");
    let said;
    try {
      const { items } = await contentOf(await ask("feedback", { method: "POST", body: this._form(picture, label) }));
      said = `Kept as ${label}: ${items} so far.`;
    } catch (error) {
      said = refusal(error);
    }
    // Meanwhile the reader may have drawn another one.
    if (picture === this._picture) this._say(said);
  }

  _form(picture, label) {
    const form = new FormData();
    form.append("image", picture, "picture.png");
    form.append("model", this._version.name);
    form.append("version", String(this._version.version));
    form.append("label", label);
    return form;
  }

  _say(sentence) {
    this._said.textContent = sentence;
  }
}
