// What is drawn: boxes that glide to where the newest answer puts them, come and go softly, and keep number and colour.
// Boxes here are in shares of the picture, 0 to 1.

const CALM = matchMedia("(prefers-reduced-motion: reduce)").matches;
const GLIDE = CALM ? 1 : 45; // milliseconds in which a box does 63 % of its way
const FADE = 140;
const GRACE = 260; // a box that one answer misses stays

export class Tracks {
  constructor() {
    this.all = new Map();
  }

  clear() {
    this.all.clear();
  }

  /** Take an answer of a frame or picture; `still` puts everything in its place at once. */
  update(regions, width, height, now, still = false) {
    if (still) this.clear();
    regions.forEach((region, index) => {
      const target = region.box.map((value, side) => value / (side % 2 ? height : width));
      const id = region.id ?? index;
      const track = this.all.get(id) || this.#begin(id, target, still);
      Object.assign(track, { target, caption: region.caption, score: region.score, seen: now, gone: false });
      if (still) track.box = [...target];
    });
    for (const track of this.all.values()) if (track.seen !== now && now - track.seen > GRACE) track.gone = true;
  }

  #begin(id, target, still) {
    const taken = new Set([...this.all.values()].map((track) => track.number));
    let number = 1;
    while (taken.has(number)) number += 1;
    const track = { id, number, box: [...target], opacity: still ? 1 : 0 };
    this.all.set(id, track);
    return track;
  }

  /** Move on by `elapsed` milliseconds; whether anything still moves. */
  step(elapsed) {
    const glide = 1 - Math.exp(-elapsed / GLIDE);
    const fade = elapsed / FADE;
    let moving = false;
    for (const [id, track] of this.all) {
      track.box.forEach((value, side) => {
        const way = track.target[side] - value;
        track.box[side] = Math.abs(way) < 5e-4 ? track.target[side] : value + way * glide;
        moving ||= track.box[side] !== track.target[side];
      });
      const before = track.opacity;
      track.opacity = Math.min(1, Math.max(0, before + (track.gone ? -fade : fade)));
      moving ||= track.opacity !== before;
      if (track.gone && track.opacity === 0) this.all.delete(id);
    }
    return moving;
  }

  /** In the order of their numbers. */
  list() {
    return [...this.all.values()].sort((a, b) => a.number - b.number);
  }

  /** Those of the newest answers. */
  present() {
    return this.list().filter((track) => !track.gone);
  }

  get(id) {
    return this.all.get(id);
  }
}
