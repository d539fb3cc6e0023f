// The live charts of a model, or of all models together.

import { Chart } from "./chart.js";
import { card, h } from "./dom.js";
import { HISTORY } from "./live.js";

export class Charts {
  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this._live = live;
    this._name = "";
    this._charts = [
      new Chart("Throughput", "requests/s", [{ key: "rate", colour: "sky" }]),
      new Chart("Time of a request", "ms", [
        { key: "p50", colour: "green", name: "p50" },
        { key: "p99", colour: "vermilion", name: "p99" },
      ]),
      new Chart("Waiting for the model", "requests", [{ key: "waiting", colour: "orange" }]),
      new Chart("Batch", "items a run", [{ key: "batch", colour: "purple" }]),
    ];
    this._scope = h(
      "select",
      { "aria-label": "Whose figures", change: () => this.show() },
      h("option", { value: "one" }, "this model"),
      h("option", { value: "all" }, "all models"),
    );
    const point = (event) => {
      const box = event.target.closest("svg")?.getBoundingClientRect();
      const ago = box ? HISTORY * (1 - (event.clientX - box.left) / box.width) : null;
      for (const chart of this._charts) chart.pointAt(ago);
    };
    const all = h("div", { class: "charts", pointermove: point, pointerleave: point }, ...this._charts.map((one) => one.node));
    this.node = card("live", "Live", [h("small", {}, "all workers together"), this._scope], all);
  }

  /** @param {string} name */
  choose(name) {
    this._name = name;
    this.show();
  }

  show() {
    const points = this._live.history(this._scope.value === "one" ? this._name : "");
    for (const chart of this._charts) chart.show(points);
  }
}
