// Boxes that the visitor draws, by pointer or keys, to have them described. In shares of the picture, 0 to 1.

const LEAST = 0.02; // sides of a box at least
const STEP = 0.02;

export class Boxes {
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    this.list = [];
    this.active = false;
    this.start = null;
    this.described = 0; // so many of them have come back with words
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => this.#begin(event));
    element.addEventListener("pointermove", (event) => this.#stretch(event));
    element.addEventListener("pointerup", (event) => this.#finish(event));
    element.addEventListener("pointercancel", () => this.#abandon());
    element.addEventListener("keydown", (event) => this.#key(event));
    stage.extra = (context) => this.#paint(context);
  }

  /** Corners in pixels of a picture of this size, or null when nothing was drawn. */
  inPixels(width, height) {
    if (!this.list.length) return null;
    const pixels = (value, side) => Math.round(value * (side % 2 ? height : width) * 100) / 100;
    return this.list.map((box) => box.map(pixels));
  }

  activate(active) {
    this.active = active;
    this.#abandon();
    this.stage.drawing = active;
    this.stage.element.classList.toggle("drawing", active);
  }

  clear() {
    this.#abandon();
    if (!this.list.length) return;
    this.list = [];
    this.changed();
  }

  #begin(event) {
    if (!this.active || !event.isPrimary || event.button !== 0) return;
    this.start = this.stage.position(event, true);
    if (!this.start) return;
    this.end = this.start;
    this.stage.element.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  #stretch(event) {
    if (!this.start || !event.isPrimary) return;
    this.end = this.stage.position(event, true);
    this.stage.draw();
  }

  #finish(event) {
    if (!this.start || !event.isPrimary) return;
    const box = between(this.start, this.stage.position(event, true));
    this.#abandon();
    if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) return;
    this.list = [...this.list, box];
    this.changed();
  }

  #abandon() {
    this.start = null;
    this.stage.draw();
  }

  /** Enter puts a box in the middle; arrows move the last one, with Shift its lower right corner; Delete drops it. */
  #key(event) {
    if (!this.active) return;
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    const last = this.list.at(-1);
    if (event.key === "Enter") this.list = [...this.list, [0.35, 0.35, 0.65, 0.65]];
    else if (event.key === "Delete" || event.key === "Backspace") this.list = this.list.slice(0, -1);
    else if (way && last) this.list = [...this.list.slice(0, -1), moved(last, way, event.shiftKey)];
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.changed();
  }

  #paint(context) {
    for (const box of this.list.slice(this.described)) this.#dashed(context, box);
    if (this.start) this.#dashed(context, between(this.start, this.end));
  }

  #dashed(context, box) {
    const { x, y, width, height } = this.stage.rectangle(box);
    context.save();
    context.setLineDash([6, 5]);
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.fillStyle = "rgb(255 255 255 / 14%)";
    context.fillRect(x, y, width, height);
    context.strokeRect(x, y, width, height);
    context.restore();
  }
}

function between([x1, y1], [x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}

function moved([x1, y1, x2, y2], [dx, dy], stretch) {
  const inside = (value, low, high) => Math.min(high, Math.max(low, value));
  if (stretch) return [x1, y1, inside(x2 + dx, x1 + LEAST, 1), inside(y2 + dy, y1 + LEAST, 1)];
  const x = inside(x1 + dx, 0, 1 - (x2 - x1));
  const y = inside(y1 + dy, 0, 1 - (y2 - y1));
  return [x, y, x + x2 - x1, y + y2 - y1];
}
