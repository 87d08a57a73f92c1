// What is being looked at, kept in the address so that a link shows the same again.
"use strict";

const NUMBER = 10;

const state = {
  place: 0, query: "", expressions: [], score: 0, number: NUMBER, truth: false, view: "list", file: 0,
  hover: null, pinned: null,
  found: [], hits: new Map(), isSearching: false,

  get least() { return store.scores ? Math.floor(store.scores[0] * 100) / 100 : 0; },
  get greatest() { return store.scores ? Math.max(Math.ceil(store.scores[1] * 100) / 100, this.least + 0.01) : 1; },
  get usual() { return Math.max(Math.min(NUMBER, store.most), 1); },
  get image() { return store.images[this.place]; },
  get active() { return this.hover || this.pinned; },

  setQuery(query) {
    this.query = query;
    this.expressions = search.phrases(query);
  },

  /** Rows of a list of the data that are shown: the best so many of a file, the whole truth. */
  kept(list, isTruth) {
    if (isTruth) return list || [];
    const first = (list || []).slice(0, this.number);
    return first.filter((row) => row[1] === null || row[1] >= this.score);
  },

  /** The same as objects; `layer` is the number of the file or "t" for the truth, `rank` counts from 0 in it. */
  shown(list, layer) {
    return this.kept(list, layer === "t").map((row, rank) => ({
      key: `${layer}/${rank}`, layer, rank, box: row[0] || null, score: row[1], caption: row[2], others: row[3] || [],
      area: row[0] ? (row[0][2] - row[0][0]) * (row[0][3] - row[0][1]) : Infinity,
      hit: this.expressions.length > 0 && search.isHit(this.expressions, row),
    }));
  },

  /** All rows of an image that are shown, which are those that a search looks through; null before they are loaded. */
  searched(place) {
    const lists = store.lists(place);
    if (!lists) return null;
    const truth = this.truth ? this.kept(lists[lists.length - 1], true) : [];
    return [...lists.slice(0, -1).flatMap((list) => this.kept(list, false)), ...truth];
  },

  /** Settings that differ from the usual ones, as the part of the address behind #. */
  address() {
    const parts = new URLSearchParams();
    if (store.images.length) parts.set("image", this.image.id);
    if (this.query) parts.set("q", this.query);
    if (this.score > this.least) parts.set("score", String(this.score));
    if (this.number !== this.usual) parts.set("n", String(this.number));
    if (this.truth) parts.set("truth", "1");
    if (this.pinned) parts.set("region", this.pinned);
    if (this.view === "grid") parts.set("view", "grid");
    if (this.file) parts.set("file", String(this.file + 1));
    return `#${parts}`;
  },

  /** Settings from an address; what is missing in it or makes no sense is as usual. */
  readAddress(hash) {
    const parts = new URLSearchParams(hash.replace(/^#/, ""));
    const within = (text, low, high, usual) => {
      const value = text === null || text.trim() === "" ? NaN : Number(text);
      return Number.isFinite(value) ? Math.min(Math.max(value, low), high) : usual;
    };
    this.place = store.places.get(parts.get("image")) ?? 0;
    this.setQuery(parts.get("q") || "");
    this.score = within(parts.get("score"), this.least, this.greatest, this.least);
    this.number = Math.round(within(parts.get("n"), 1, Math.max(store.most, 1), this.usual));
    this.truth = store.hasTruth && parts.get("truth") === "1";
    this.pinned = /^(\d|t)\/\d+$/.test(parts.get("region") || "") ? parts.get("region") : null;
    this.view = parts.get("view") === "grid" ? "grid" : "list";
    this.file = Math.round(within(parts.get("file"), 1, store.files.length, 1)) - 1;
    this.hover = null;
  },
};
