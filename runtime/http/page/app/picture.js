// Trying a model of pictures: draw one, drop, paste or choose one, and see the answer.

import { ask, contentOf } from "./api.js";
import { Bars } from "./bars.js";
import { button, h, picker, replace } from "./dom.js";
import { Feedback } from "./feedback.js";
import { Follower } from "./follower.js";
import { Pad } from "./pad.js";
import { samplesOf } from "./samples.js";
import { Seen } from "./seen.js";
import { refusal, under } from "./trial.js";

export class PictureTrial {
  /**
   * @param {any} version the description of the version
   * @param {boolean} takesFeedback whether the service keeps pictures with their class
   */
  constructor(version, takesFeedback) {
    this._version = version;
    this._follower = new Follower((picture, signal) => this._send(picture, signal));
    this._bars = new Bars();
    this._seen = new Seen();
    this._pad = new Pad(() => this._drawn());
    this._samples = h("div", { class: "samples" });
    this._feedback = takesFeedback && version.classes.length ? new Feedback(version) : null;
    if (this._feedback) this._bars.node.append(this._feedback.node);
    this.node = h(
      "div",
      { class: "try" },
      h(
        "div",
        { class: "pad" },
        this._pad.canvas,
        h(
          "div",
          { class: "under" },
          button("Clear", () => this._clear()),
          picker("Choose a picture", { accept: "image/*" }, ([file]) => this.take(file)),
        ),
        h("small", {}, "Draw here; or drop or paste a picture."),
      ),
      this._seen.node,
      this._bars.node,
    );
    this.more = this._samples;
    this._clear();
    this._showSamples();
  }

  stop() {
    this._follower.stop();
  }

  /**
   * Send a picture's file, and show it.
   * @param {Blob} file
   */
  async take(file) {
    this._feedback?.clear();
    this._follower.offer(() => file);
    try {
      this._pad.show(await createImageBitmap(file));
    } catch {
      this._pad.clear(); // the service may read a format that the browser cannot
    }
  }

  _drawn() {
    if (this._pad.isEmpty) this._clear();
    else this._follower.offer(() => this._pad.picture());
  }

  _clear() {
    this._follower.stop();
    this._pad.clear();
    this._seen.clear();
    this._feedback?.clear();
    this._bars.say("Draw something: the answer follows.");
  }

  async _send(picture, signal) {
    const start = performance.now();
    try {
      const reply = await ask("explain/image", { method: "POST", body: this._form(picture), signal });
      const { steps, tensor, probabilities } = await contentOf(reply, signal);
      this._seen.show(steps, tensor);
      this._bars.show(probabilities, this._version.classes, under(reply, start));
      this._feedback?.offer(picture);
    } catch (error) {
      if (signal.aborted) return;
      this._feedback?.clear();
      this._bars.say(refusal(error), true);
    }
  }

  _form(picture) {
    const form = new FormData();
    form.append("image", picture, "picture.png");
    form.append("model", this._version.name);
    form.append("version", String(this._version.version));
    return form;
  }

  async _showSamples() {
    let samples = [];
    try {
      samples = await samplesOf(this._version);
    } catch {
      // The row is a courtesy: without a sample, or with a broken one, it stays away.
    }
    if (!samples.length) return;
    replace(
      this._samples,
      h("h3", {}, "The bundle's own test pictures:"),
      ...samples.map(({ canvas, label }) => {
        const name = this._version.classes[label] ?? label;
        const click = () => {
          this._feedback?.clear();
          this._pad.show(canvas);
          this._follower.offer(() => new Promise((resolve) => canvas.toBlob(resolve, "image/png")));
        };
        return button(canvas, click, { title: `labelled ${name}`, "aria-label": `Try a picture labelled ${name}` });
      }),
    );
  }
}
