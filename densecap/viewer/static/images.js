// The list of images: only the rows in sight exist, so thousands cost what a dozen do.
"use strict";

const imageList = (() => {
  const rows = byId("rows"), space = byId("space");
  const MARGIN = 400; // pixels beyond the window that are made ready
  let shape = { columns: 1, height: 84, width: 0 };
  let made = new Map();
  let waiting = 0;
  let choose = () => {};

  function measure() {
    const width = space.clientWidth;
    if (document.body.dataset.view !== "grid") return { columns: 1, height: 84, width };
    const columns = Math.max(Math.floor(width / (width < 600 ? 150 : 200)), 2);
    return { columns, height: Math.round((width / columns) * 0.72) + 34, width };
  }

  /** Lay out anew; called when images, the window or the form of the list change. */
  function refresh() {
    shape = measure();
    space.style.height = `${Math.ceil(state.found.length / shape.columns) * shape.height}px`;
    made.forEach((node) => node.remove());
    made = new Map();
    draw();
  }

  function draw() {
    if (!rows.clientHeight) return;
    const top = Math.floor(Math.max(rows.scrollTop - MARGIN, 0) / shape.height);
    const bottom = Math.ceil((rows.scrollTop + rows.clientHeight + MARGIN) / shape.height);
    const from = top * shape.columns, to = Math.min(bottom * shape.columns, state.found.length);
    for (const [number, node] of made) {
      if (number >= from && number < to) continue;
      node.remove();
      made.delete(number);
    }
    for (let number = from; number < to; number += 1) {
      if (!made.has(number)) {
        const node = item(number);
        const after = [...space.children].find((other) => Number(other.dataset.number) > number);
        space.insertBefore(node, after || null);
        made.set(number, node);
      }
    }
    window.clearTimeout(waiting);
    waiting = window.setTimeout(fetchCaptions, 90);
  }

  function item(number) {
    const place = state.found[number], image = store.images[place];
    const { columns, height } = shape;
    const hits = state.hits.get(place);
    const button = make("button", { type: "button", class: "image", "data-place": place },
      picture(image), make("span", { class: "words" }, make("span", { class: "name" }, image.name), make("small")),
      hits ? make("span", { class: "hits", title: `${hits} captions found` }, String(hits)) : null);
    const node = make("div", { role: "listitem", "data-number": number, "aria-setsize": state.found.length,
      "aria-posinset": number + 1, class: "cell" }, button);
    node.style.transform = `translate(${(number % columns) * (shape.width / columns)}px, ${Math.floor(number / columns) * height}px)`;
    node.style.width = `${shape.width / columns}px`;
    node.style.height = `${height}px`;
    if (place === state.place) button.setAttribute("aria-current", "true");
    describe(node);
    return node;
  }

  function picture(image) {
    if (!image.thumbnail) return make("span", { class: "thumb missing", "aria-hidden": "true" });
    const photo = make("img", { src: image.thumbnail, alt: "", decoding: "async", draggable: "false" });
    photo.onerror = () => photo.replaceWith(make("span", { class: "thumb missing", "aria-hidden": "true" }));
    photo.className = "thumb";
    return photo;
  }

  /** The caption below a name: the first that was found, or the best. */
  function describe(node) {
    const regions = state.searched(Number(node.firstChild.dataset.place));
    if (!regions) return;
    const region = regions.find((row) => search.isHit(state.expressions, row)) || regions[0];
    const text = region ? region[2] : "no regions";
    node.querySelector("small").replaceChildren(...search.marked(state.expressions, text));
  }

  function fetchCaptions() {
    const places = [...made.values()].map((node) => Number(node.firstChild.dataset.place));
    const numbers = new Set(places.filter((place) => !store.lists(place)).map((place) => Math.floor(place / store.chunk)));
    made.forEach(describe);
    numbers.forEach((number) => store.load(number).then(() => made.forEach(describe), () => {}));
  }

  /** Mark the image that is shown and bring it into sight. */
  function follow() {
    made.forEach((node) => node.firstChild.removeAttribute("aria-current"));
    const number = state.found.indexOf(state.place);
    if (number < 0) return;
    const top = Math.floor(number / shape.columns) * shape.height;
    const isFar = Math.abs(top - rows.scrollTop) > 2 * rows.clientHeight;
    if (isFar) rows.scrollTop = top - (rows.clientHeight - shape.height) / 2;
    else if (top < rows.scrollTop) rows.scrollTop = top;
    else if (top + shape.height > rows.scrollTop + rows.clientHeight) rows.scrollTop = top + shape.height - rows.clientHeight;
    draw();
    made.get(number)?.firstChild.setAttribute("aria-current", "true");
  }

  rows.addEventListener("scroll", draw, { passive: true });
  space.addEventListener("click", (event) => {
    const button = event.target.closest("button.image");
    if (button) choose(Number(button.dataset.place));
  });
  new ResizeObserver(() => { if (measure().width !== shape.width || !made.size) refresh(); else draw(); }).observe(rows);

  return { refresh, follow, redescribe: () => made.forEach(describe), onChoose: (act) => { choose = act; } };
})();
