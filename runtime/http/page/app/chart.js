// A small chart of five minutes, in SVG.

import { h, replace, svg } from "./dom.js";
import { HISTORY } from "./live.js";
import { short } from "./words.js";

const HEIGHT = 72;

export class Chart {
  /**
   * @param {string} title
   * @param {string} unit
   * @param {{key: string, colour: string, name?: string}[]} series
   */
  constructor(title, unit, series) {
    this._title = title;
    this._unit = unit;
    this._series = series;
    this._now = h("div", { class: "now" });
    this._top = h("span");
    this._when = h("span", {}, "5 min ago");
    this._mark = svg("line", { class: "mark", y1: 0, y2: HEIGHT, visibility: "hidden" });
    this._lines = series.map((one) => svg("path", { class: one.colour }));
    this._picture = svg(
      "svg",
      { viewBox: `0 0 ${HISTORY} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
      svg("line", { class: "grid", x1: 0, x2: HISTORY, y1: 0, y2: 0 }),
      svg("line", { class: "grid", x1: 0, x2: HISTORY, y1: HEIGHT / 2, y2: HEIGHT / 2 }),
      svg("line", { class: "grid", x1: 0, x2: HISTORY, y1: HEIGHT, y2: HEIGHT }),
      ...this._lines,
      this._mark,
    );
    this.node = h(
      "div",
      { class: "chart" },
      h("h3", {}, title),
      this._now,
      h("div", { class: "ends" }, h("span"), this._top),
      this._picture,
      h("div", { class: "ends" }, this._when, h("span", {}, "now")),
    );
    this._points = [];
    /** @type {number | null} */
    this._ago = null;
  }

  /** @param {any[]} points of Live.history */
  show(points) {
    this._points = points;
    const values = points.flatMap((point) => this._series.map((one) => point[one.key] ?? 0));
    const top = ceiling(Math.max(0, ...values));
    this._top.textContent = top >= 10000 ? short(top) : String(top);
    this._series.forEach((one, at) => this._lines[at].setAttribute("d", path(points, one.key, top)));
    this._read();
  }

  /** @param {number | null} ago the seconds ago at which the reader points; null is now */
  pointAt(ago) {
    this._ago = ago;
    this._mark.setAttribute("visibility", ago === null ? "hidden" : "visible");
    for (const end of ["x1", "x2"]) this._mark.setAttribute(end, String(HISTORY - (ago ?? 0)));
    this._when.textContent = ago === null ? "5 min ago" : `${Math.round(ago)} s ago`;
    this._read();
  }

  _read() {
    const ago = this._ago ?? 0;
    const near = (best, point) => (Math.abs(point.ago - ago) < Math.abs(best.ago - ago) ? point : best);
    const point = this._points.reduce(near, this._points[0] ?? {});
    const texts = this._series.map((one) => `${one.name ?? ""} ${short(point[one.key] ?? null)}`.trim());
    replace(
      this._now,
      ...this._series.flatMap((one, at) => [at ? " " : null, one.name ? h("small", { class: one.colour }, `${one.name} `) : null, short(point[one.key] ?? null)]),
      h("small", { class: "soft" }, ` ${this._unit}`),
    );
    this._picture.setAttribute("aria-label", `${this._title}: ${texts.join(", ")} ${this._unit}; scale to ${this._top.textContent}`);
  }
}

function path(points, key, top) {
  let [text, isDrawing] = ["", false];
  for (const point of points) {
    const value = point[key];
    if (value === null || point.ago > HISTORY) {
      isDrawing = false;
      continue;
    }
    const place = `${(HISTORY - point.ago).toFixed(1)} ${(HEIGHT * (1 - value / top)).toFixed(1)}`;
    // A single value between gaps is a dot.
    text += isDrawing ? `L${place}` : `M${place}h.01`;
    isDrawing = true;
  }
  return text;
}

/** The next number of 1, 2, 5, 10, 20, 50 … */
function ceiling(value) {
  if (value <= 1) return 1;
  const ten = 10 ** Math.floor(Math.log10(value));
  return ten * ([1, 2, 5, 10].find((step) => step * ten >= value) ?? 10);
}
