// A photo with its boxes. The smallest box under the pointer is the one that is meant.
"use strict";

const COLOURS = ["#ff6b6b", "#4dabf7", "#ffd43b", "#51cf66", "#da77f2", "#ff922b", "#22d3c5", "#f783ac", "#a9e34b", "#9c8cff"];
const colourOf = (region) => (region.layer === "t" ? "#ffffff" : COLOURS[region.rank % COLOURS.length]);

/** Overlap of two boxes as a share of their union. */
function overlap(one, two) {
  const width = Math.min(one[2], two[2]) - Math.max(one[0], two[0]);
  const height = Math.min(one[3], two[3]) - Math.max(one[1], two[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(one) + area(two) - width * height);
}

class Stage {
  /** `act` has hover(key), pin(key) and turn(step). */
  constructor(act) {
    this.act = act;
    this.regions = [];
    this.svg = svg("svg", { role: "img" });
    this.dark = svg("path", { class: "dark", "fill-rule": "evenodd" });
    this.label = make("div", { class: "label", hidden: true });
    this.tags = make("div", { class: "tags", "aria-hidden": "true" });
    this.frame = make("div", { class: "frame" }, this.svg, this.tags, this.label);
    this.node = make("div", { class: "stage" }, this.frame);
    new ResizeObserver(() => this.fit()).observe(this.node);
    this.listen();
  }

  listen() {
    let touch = null, kind = "mouse";
    this.frame.addEventListener("pointerdown", (event) => { kind = event.pointerType; });
    this.frame.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.act.hover(this.under(event)[0]?.key ?? null);
    });
    this.frame.addEventListener("pointerleave", () => this.act.hover(null));
    this.frame.addEventListener("click", (event) => {
      const keys = this.under(event).map((region) => region.key);
      const next = kind === "touch" ? keys[keys.indexOf(state.pinned) + 1] : keys[0];
      this.act.pin(next === state.pinned ? null : next ?? null);
    });
    this.node.addEventListener("touchstart", (event) => {
      touch = event.touches.length === 1 ? [event.touches[0].clientX, event.touches[0].clientY] : null;
    }, { passive: true });
    this.node.addEventListener("touchend", (event) => {
      if (!touch) return;
      const across = event.changedTouches[0].clientX - touch[0], down = event.changedTouches[0].clientY - touch[1];
      touch = null;
      if (Math.abs(across) > 50 && Math.abs(across) > 2 * Math.abs(down)) this.act.turn(across < 0 ? 1 : -1);
    }, { passive: true });
  }

  /** Boxes under the pointer, the smallest first. */
  under(event) {
    const area = this.frame.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width) * this.image.width;
    const y = ((event.clientY - area.top) / area.height) * this.image.height;
    const inside = this.regions.filter(({ box }) => box && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    return inside.sort((one, two) => one.area - two.area);
  }

  show(image, regions, title) {
    const isNew = this.image !== image;
    this.image = image;
    this.regions = regions;
    if (isNew) this.showPhoto(image);
    const boxed = regions.filter((region) => region.box);
    this.svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("aria-label", `${image.name}, ${boxed.length} boxes of ${title}`);
    const groups = [...boxed].sort((one, two) => two.area - one.area).map(drawn);
    this.svg.replaceChildren(this.dark, ...groups);
    this.tags.replaceChildren(...(boxed.length > 40 ? [] : boxed.filter(({ layer }) => layer !== "t").map((region) => this.tag(region))));
    this.fit();
  }

  showPhoto(image) {
    this.photo?.remove();
    this.node.classList.toggle("missing", !image.picture);
    if (!image.picture) {
      this.photo = make("p", { class: "no-photo" }, "photo not found");
    } else {
      this.photo = make("img", { src: image.picture, alt: "", draggable: "false", decoding: "async" });
      this.photo.onerror = () => this.showPhoto({ ...image, picture: null });
    }
    this.frame.prepend(this.photo);
  }

  tag(region) {
    const node = make("span", { class: "tag", "data-key": region.key }, String(region.rank + 1));
    node.style.setProperty("--colour", colourOf(region));
    node.style.left = `${(Math.max(region.box[0], 0) / this.image.width) * 100}%`;
    node.style.top = `${(Math.max(region.box[1], 0) / this.image.height) * 100}%`;
    return node;
  }

  /** Make the photo as large as the stage allows, small ones up to four times their size. */
  fit() {
    if (!this.image) return;
    const { width, height } = this.image, room = this.node.getBoundingClientRect();
    if (!room.width || !room.height) return;
    const scale = Math.min((room.width - 24) / width, (room.height - 24) / height, Math.max(4, 640 / Math.max(width, height)));
    this.frame.style.width = `${Math.max(Math.round(width * scale), 1)}px`;
    this.frame.style.height = `${Math.max(Math.round(height * scale), 1)}px`;
    this.place();
  }

  /** Light the region of that key, and those of other layers that lie on it. */
  light(key, pairs) {
    const lit = this.regions.find((region) => region.key === key && region.box);
    const pair = this.regions.find((region) => pairs.has(region.key) && region.box);
    this.frame.classList.toggle("lit", Boolean(lit || pair));
    for (const group of [...this.svg.querySelectorAll("g"), ...this.tags.children]) {
      group.classList.toggle("on", group.dataset.key === key);
      group.classList.toggle("pair", pairs.has(group.dataset.key));
    }
    this.lit = lit || pair || null;
    const { width, height } = this.image || { width: 1, height: 1 };
    this.dark.setAttribute("d", this.lit ? `M0 0H${width}V${height}H0Z${outline(this.lit.box)}` : "");
    this.label.hidden = !this.lit;
    if (!this.lit) return;
    const on = this.svg.querySelector("g.on");
    if (on) this.svg.append(on);
    this.label.style.setProperty("--colour", colourOf(this.lit));
    this.label.classList.toggle("true", this.lit.layer === "t");
    this.label.replaceChildren(...search.marked(state.expressions, this.lit.caption || "(nothing)"));
    this.place();
  }

  /** Put the label above its box, or below or inside where there is no room. */
  place() {
    if (!this.lit || this.label.hidden) return;
    const room = this.frame.getBoundingClientRect();
    const [x1, y1, , y2] = this.lit.box;
    const left = (x1 / this.image.width) * room.width, top = (y1 / this.image.height) * room.height;
    const bottom = (y2 / this.image.height) * room.height;
    this.label.style.maxWidth = `${Math.max(room.width, 120)}px`;
    const { offsetWidth, offsetHeight } = this.label;
    const above = top - offsetHeight - 5, below = bottom + 5;
    const y = above >= 0 ? above : below + offsetHeight <= room.height ? below : Math.max(top, 0) + 5;
    this.label.style.left = `${Math.max(Math.min(left, room.width - offsetWidth), 0)}px`;
    this.label.style.top = `${y}px`;
  }
}

function svg(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const outline = ([x1, y1, x2, y2]) => `M${x1} ${y1}H${x2}V${y2}H${x1}Z`;

function drawn(region) {
  const classes = ["box", region.layer === "t" ? "true" : "", region.hit ? "hit" : ""].filter(Boolean).join(" ");
  const group = svg("g", { class: classes, "data-key": region.key });
  group.style.setProperty("--colour", colourOf(region));
  group.append(svg("path", { class: "casing", d: outline(region.box) }), svg("path", { class: "line", d: outline(region.box) }));
  return group;
}
