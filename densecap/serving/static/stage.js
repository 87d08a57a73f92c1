// The stage: picture or video with the boxes above it, and where on it the pointer is.

import { drawTracks, rectangle } from "./drawing.js";

const DENSITY = 2; // canvas pixels a CSS pixel at most
const PAUSE = 30; // milliseconds between two drawings at least: the model needs the processor, too

export class Stage {
  constructor(tracks, on) {
    this.tracks = tracks;
    this.on = on;
    this.element = document.getElementById("stage");
    this.video = document.getElementById("video");
    this.picture = document.getElementById("picture");
    this.overlay = document.getElementById("overlay");
    this.hud = document.getElementById("hud");
    this.context = this.overlay.getContext("2d");
    this.mirrored = false;
    this.lit = null;
    this.extra = null; // draws on top: boxes that are being drawn
    this.drawing = false; // whether the pointer draws
    new ResizeObserver(() => this.layout()).observe(this.element);
    this.video.addEventListener("resize", () => this.layout());
    this.element.addEventListener("pointermove", (event) => this.#hover(event));
    this.element.addEventListener("pointerleave", () => this.on.hover(null));
    this.element.addEventListener("click", (event) => this.drawing || this.on.choose(this.at(event)));
  }

  /** What is shown: "none", "video" or "picture". */
  show(what) {
    this.what = what;
    this.video.hidden = what !== "video";
    this.picture.hidden = what !== "picture";
    this.layout();
  }

  /** Pixels of the picture or video itself. */
  size() {
    if (this.what === "video") return [this.video.videoWidth, this.video.videoHeight];
    return this.what === "picture" ? [this.picture.width, this.picture.height] : [0, 0];
  }

  mirror(mirrored) {
    this.mirrored = mirrored;
    this.video.classList.toggle("mirrored", mirrored);
    this.draw();
  }

  layout() {
    const { clientWidth, clientHeight } = this.element;
    const density = Math.min(DENSITY, window.devicePixelRatio || 1);
    const [width, height] = this.size();
    const scale = width && height ? Math.min(clientWidth / width, clientHeight / height) : 0;
    const place = { width: width * scale, height: height * scale };
    place.x = (clientWidth - place.width) / 2;
    place.y = (clientHeight - place.height) / 2;
    this.place = place;
    this.density = density;
    this.overlay.width = Math.round(clientWidth * density);
    this.overlay.height = Math.round(clientHeight * density);
    this.element.style.setProperty("--aspect", width && height ? `${width} / ${height}` : "");
    this.draw();
  }

  /** Draw now, and go on while boxes move. */
  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame((now) => this.#paint(now));
  }

  #paint(now) {
    this.asked = 0;
    const elapsed = now - (this.painted || 0);
    if (elapsed < PAUSE) return this.draw();
    this.painted = now;
    const moving = this.tracks.step(Math.min(elapsed, 100));
    this.context.setTransform(this.density, 0, 0, this.density, 0, 0);
    this.context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (this.place?.width) {
      const { lit, mirrored } = this;
      drawTracks(this.context, this.boxes(), this.place, { lit, mirrored, taken: this.#covered() });
      this.extra?.(this.context, this.place);
    }
    if (moving) this.draw();
  }

  /** Where no caption may be: under the rate. */
  #covered() {
    if (this.hud.hidden) return [];
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = this.hud;
    return [{ x: offsetLeft, y: offsetTop, width: offsetWidth, height: offsetHeight }];
  }

  /** Tracks with a box to draw: a caption of the whole picture stands below it instead. */
  boxes() {
    return this.tracks.list().filter((track) => !isWhole(track));
  }

  /** A pointer's position in shares of the picture, 0 to 1, or null outside; `clamp` takes the nearest inside. */
  position(event, clamp = false) {
    const frame = this.element.getBoundingClientRect();
    if (!this.place?.width) return null;
    let x = (event.clientX - frame.left - this.element.clientLeft - this.place.x) / this.place.width;
    let y = (event.clientY - frame.top - this.element.clientTop - this.place.y) / this.place.height;
    if (!clamp && (x < 0 || y < 0 || x > 1 || y > 1)) return null;
    x = Math.min(1, Math.max(0, x));
    y = Math.min(1, Math.max(0, y));
    return [this.mirrored ? 1 - x : x, y];
  }

  /** The id of the smallest box under the pointer, or null. */
  at(event) {
    const position = this.position(event);
    if (!position) return null;
    const [x, y] = position;
    const hit = this.boxes().filter(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    hit.sort((a, b) => area(a.box) - area(b.box));
    return hit.length ? hit[0].id : null;
  }

  #hover(event) {
    if (event.pointerType === "mouse") this.on.hover(this.at(event));
  }

  light(id) {
    if (this.lit === id) return;
    this.lit = id;
    this.draw();
  }

  /** Where a box lies on the page's stage, in CSS pixels. */
  rectangle(box) {
    return rectangle(box, this.place, this.mirrored);
  }
}

/** Whether a region is the whole picture, as those of models that describe whole images are. */
export function isWhole({ target }) {
  return target[0] < 0.002 && target[1] < 0.002 && target[2] > 0.998 && target[3] > 0.998;
}

function area([x1, y1, x2, y2]) {
  return (x2 - x1) * (y2 - y1);
}
