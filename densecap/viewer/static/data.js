// The data: the index comes with the page, regions come by chunks when an image is shown or searched.
"use strict";

/** Makes an element. Text goes in as text, so that no caption can become markup. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);

const store = {
  files: [], images: [], places: new Map(), scores: null, most: 0, hasTruth: false, chunk: 100, isThere: false,
  _arrived: new Map(), _waiting: new Map(),

  index(content) {
    Object.assign(this, { files: content.files, scores: content.scores, most: content.most });
    Object.assign(this, { hasTruth: content.truth, chunk: content.chunk, isThere: true });
    this.images = content.images.map(([id, name, width, height, picture, thumbnail], place) => {
      const number = String(place).padStart(6, "0");
      this.places.set(id, place);
      return {
        id, name, width, height, place,
        picture: picture ? `images/${number}${picture}` : null,
        thumbnail: thumbnail ? `thumbnails/${number}.jpg` : null,
      };
    });
  },

  get numChunks() { return Math.ceil(this.images.length / this.chunk); },

  /** What the files and the truth say of an image: [regions of each file or 0, truth or 0]; null before it is loaded. */
  lists(place) {
    const chunk = this._arrived.get(Math.floor(place / this.chunk));
    return chunk ? chunk[place % this.chunk] : null;
  },

  /** Resolves when the chunk is there; rejects when it cannot be had. */
  load(number) {
    if (this._arrived.has(number)) return Promise.resolve();
    if (!this._waiting.has(number)) {
      this._waiting.set(number, new Promise((resolve, reject) => {
        const script = make("script", { src: `data/chunk-${String(number).padStart(4, "0")}.js` });
        const finish = () => {
          script.remove();
          this._waiting.delete(number);
          if (this._arrived.has(number)) resolve();
          else reject(new Error(`${script.getAttribute("src")} cannot be loaded`));
        };
        script.onload = script.onerror = finish;
        document.head.append(script);
      }));
    }
    return this._waiting.get(number);
  },

  loadFor(place) { return this.load(Math.floor(place / this.chunk)); },
};

/** What the scripts in data/ call. */
const densecapData = {
  index(content) { store.index(content); },
  chunk(number, images) { store._arrived.set(number, images); },
};
