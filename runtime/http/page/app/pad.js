// The pad: one draws on it with a mouse, a pen, a finger or the keyboard.

import { h } from "./dom.js";

const SIDE = 280;
const WIDTH = 22; // of the pen; a stroke in MNIST is some 2 of 28 pixels
const STEP = 8; // pixels that an arrow key moves the pen

export class Pad {
  /** @param {() => void} changed is called after each stroke's piece */
  constructor(changed) {
    this._changed = changed;
    this.canvas = h("canvas", {
      width: SIDE,
      height: SIDE,
      tabindex: 0,
      role: "img",
      "aria-label":
        "Drawing pad. Draw with the pointer; or move the pen with the arrow keys, put it down and up with the space bar, and clear with Delete.",
      pointerdown: (event) => this._begin(event),
      pointermove: (event) => this._move(event),
      pointerup: () => (this._pointer = null),
      pointercancel: () => (this._pointer = null),
      keydown: (event) => this._key(event),
      blur: () => (this._isDown = false),
    });
    this._context = this.canvas.getContext("2d");
    this.isEmpty = true;
    this._pointer = null;
    this._at = { x: SIDE / 2, y: SIDE / 2 };
    this._isDown = false;
    this._holdsPicture = false;
    this.clear();
  }

  clear() {
    this._context.fillStyle = "#000";
    this._context.fillRect(0, 0, SIDE, SIDE);
    this.isEmpty = true;
    this._holdsPicture = false;
  }

  /** @returns {Promise<Blob>} the drawing as PNG */
  picture() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  /**
   * Show a picture, which fills the pad as far as its sides allow.
   * @param {ImageBitmap | HTMLCanvasElement} picture
   */
  show(picture) {
    this.clear();
    const scale = SIDE / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    this._context.imageSmoothingEnabled = scale < 1;
    this._context.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
    this._holdsPicture = true;
    this.isEmpty = false;
  }

  _begin(event) {
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this._pointer = this._place(event);
    this._line(this._pointer, this._pointer);
  }

  _move(event) {
    if (!this._pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) {
      const place = this._place(one);
      this._line(this._pointer, place);
      this._pointer = place;
    }
  }

  _place(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) * SIDE) / box.width,
      y: ((event.clientY - box.top) * SIDE) / box.height,
    };
  }

  _key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves) {
      const inside = (value) => Math.min(SIDE, Math.max(0, value));
      const [x, y] = moves[event.key];
      const to = { x: inside(this._at.x + x * STEP), y: inside(this._at.y + y * STEP) };
      if (this._isDown) this._line(this._at, to);
      this._at = to;
    } else if (event.key === " ") {
      this._isDown = !this._isDown;
      if (this._isDown) this._line(this._at, this._at);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
      this._changed();
    } else {
      return;
    }
    event.preventDefault();
  }

  _line(from, to) {
    if (this._holdsPicture) this.clear();
    const context = this._context;
    context.strokeStyle = "#fff";
    context.lineWidth = WIDTH;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    this.isEmpty = false;
    this._changed();
  }
}
