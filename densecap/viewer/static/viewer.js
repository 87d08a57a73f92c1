// The page: settings, keys and the address, and what follows from each change.
"use strict";

const act = {
  hover(key) { if (state.hover !== key) { state.hover = key; light(false); } },
  pin(key) { state.pinned = key; light(key !== null); say(key); keepAddress(); },
  turn(step) { turnTo(neighbour(step)); },
};

let views = [];
let addressTimer = 0, searchTimer = 0, shownRound = 0;

// ---- the image

function turnTo(place) {
  if (place === null || place === state.place) return;
  state.place = place;
  state.pinned = state.hover = null;
  showImage();
  imageList.follow();
  keepAddress();
}

/** The image so many steps on among those found; null at the end. */
function neighbour(step) {
  const number = state.found.indexOf(state.place);
  if (number < 0) return state.found[0] ?? null;
  return state.found[number + step] ?? null;
}

async function showImage() {
  const round = ++shownRound, image = state.image;
  byId("name").textContent = image.name;
  drawImage();
  if (!store.lists(image.place)) {
    try { await store.loadFor(image.place); } catch (error) { problem(error.message); return; }
    if (round === shownRound) drawImage();
  }
  for (const step of [1, -1]) {
    const next = store.images[neighbour(step) ?? -1];
    if (next?.picture) new Image().src = next.picture;
  }
}

function drawImage() {
  const { image } = state, number = state.found.indexOf(state.place);
  const position = number < 0 ? `${state.found.length} found` : `${number + 1} of ${state.found.length.toLocaleString("en")}`;
  byId("details").textContent = `${Math.round(image.width)} × ${Math.round(image.height)} · ${position}`;
  byId("previous").disabled = neighbour(-1) === null || number < 0;
  byId("next").disabled = neighbour(1) === null;
  views.forEach((view) => view.show(image, store.lists(image.place)));
  const known = views.some((view) => view.regions.some((region) => region.key === state.pinned));
  if (store.lists(image.place) && !known) state.pinned = null;
  light(true);
}

// ---- what lights up

function light(bring) {
  const key = state.active, all = views.flatMap((view) => view.regions);
  const lit = all.find((region) => region.key === key);
  const pairs = new Set();
  if (lit?.box) {
    for (const layer of new Set(all.map((region) => region.layer))) {
      if (layer === lit.layer) continue;
      const others = all.filter((region) => region.layer === layer && region.box);
      const best = others.reduce((found, region) => {
        const share = overlap(region.box, lit.box);
        return share > found.share ? { region, share } : found;
      }, { region: null, share: 0.5 });
      if (best.region) pairs.add(best.region.key);
    }
  }
  views.forEach((view) => view.light(lit ? key : null, pairs, bring));
}

/** Tell a listener which caption was chosen. */
function say(key) {
  const region = views.flatMap((view) => view.regions).find((other) => other.key === key);
  byId("said").textContent = region ? region.caption : "";
}

/** Pin the next caption of the file in use, the truth's after its own. */
function step(by) {
  const view = views[state.file], { regions } = view;
  if (!regions.length) return;
  const number = regions.findIndex((region) => region.key === state.pinned);
  const next = number < 0 ? (by > 0 ? 0 : regions.length - 1) : (number + by + regions.length) % regions.length;
  state.hover = null;
  act.pin(regions[next].key);
}

// ---- settings

function changed({ seek = false } = {}) {
  showControls();
  if (seek || state.expressions.length) {
    window.clearTimeout(searchTimer);
    searchTimer = window.setTimeout(find, 120);
  }
  if (shownRound) drawImage();
  keepAddress();
}

function showControls() {
  const query = byId("query");
  if (query.value !== state.query) query.value = state.query;
  byId("score").value = String(state.score);
  byId("score-value").textContent = `≥ ${state.score.toFixed(2)}`;
  byId("number").value = String(state.number);
  byId("number-value").textContent = String(state.number);
  byId("truth").setAttribute("aria-pressed", String(state.truth));
  byId("grid").setAttribute("aria-pressed", String(state.view === "grid"));
  document.body.dataset.view = state.view;
  document.body.dataset.file = String(state.file);
  for (const tab of byId("tabs").children) tab.setAttribute("aria-pressed", String(Number(tab.dataset.file) === state.file));
}

function setView(view) {
  state.view = view;
  changed();
  imageList.refresh();
  imageList.follow();
}

function reset() {
  state.setQuery("");
  Object.assign(state, { score: state.least, number: state.usual, truth: false, pinned: null, hover: null });
  changed({ seek: true });
}

function setTruth() {
  if (!store.hasTruth) return;
  state.truth = !state.truth;
  changed();
}

function turnTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("densecap-theme", root.dataset.theme); } catch { /* a page without a memory */ }
}

function keepAddress() {
  window.clearTimeout(addressTimer);
  addressTimer = window.setTimeout(() => {
    if (location.hash !== state.address()) history.replaceState(null, "", state.address());
  }, 150);
}

function problem(text) {
  byId("nothing").hidden = false;
  byId("nothing").textContent = text;
}

// ---- start

function listen() {
  document.addEventListener("keydown", onKey);
  byId("query").addEventListener("input", (event) => { state.setQuery(event.target.value); changed({ seek: true }); });
  byId("score").addEventListener("input", (event) => { state.score = Number(event.target.value); changed(); });
  byId("number").addEventListener("input", (event) => { state.number = Number(event.target.value); changed(); });
  byId("truth").addEventListener("click", setTruth);
  byId("reset").addEventListener("click", reset);
  byId("grid").addEventListener("click", KEYS.g);
  byId("theme").addEventListener("click", turnTheme);
  byId("help-button").addEventListener("click", KEYS["?"]);
  byId("previous").addEventListener("click", () => act.turn(-1));
  byId("next").addEventListener("click", () => act.turn(1));
  byId("adjust").addEventListener("click", () => {
    const isOpen = document.body.classList.toggle("adjusting");
    byId("adjust").setAttribute("aria-expanded", String(isOpen));
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // what stands behind # is the link to an image
    const { side } = views[0];
    (side.querySelector("button.caption") || side).focus();
  });
  byId("help").addEventListener("click", (event) => { if (event.target === byId("help")) byId("help").close(); });
  imageList.onChoose((place) => { turnTo(place); if (state.view === "grid") setView("list"); });
  window.addEventListener("hashchange", (event) => {
    window.clearTimeout(addressTimer);
    const typed = new URL(event.newURL).hash; // the page may have replaced it since
    if (typed === state.address()) return;
    state.readAddress(typed);
    showControls();
    showImage();
    find();
  });
}

function build() {
  views = store.files.map((file, number) => new View(file, number, act));
  views[0].side.id = "captions";
  views[0].side.tabIndex = -1;
  byId("views").replaceChildren(...views.map((view) => view.node));
  document.body.classList.toggle("two", views.length > 1);
  byId("tabs").hidden = views.length < 2;
  byId("tabs").replaceChildren(...store.files.map((file, number) => {
    const tab = make("button", { type: "button", "data-file": number }, file.title);
    tab.addEventListener("click", () => { state.file = number; changed(); });
    return tab;
  }));
  views.forEach((view, number) => view.node.addEventListener("pointerdown", () => {
    if (state.file !== number) { state.file = number; showControls(); keepAddress(); }
  }));
  Object.assign(byId("score"), { min: String(state.least), max: String(state.greatest) });
  byId("number").max = String(Math.max(store.most, 1));
  byId("score-control").hidden = !store.scores;
  byId("number-control").hidden = store.most < 2;
  byId("truth").hidden = !store.hasTruth;
  document.title = `${store.files.map((file) => file.title).join(" and ")} · densecap`;
  byId("made").replaceChildren(...store.files.map((file) => make("section", {}, make("h3", {}, file.title),
    make("p", { class: "soft" }, file.facts.map(([name, value]) => `${name}: ${value}`).join(" · ")))));
}

function start() {
  try {
    const theme = localStorage.getItem("densecap-theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch { /* a page without a memory */ }
  if (!store.isThere) { problem("data/index.js cannot be loaded: was the whole folder copied?"); return; }
  state.readAddress(location.hash);
  build();
  listen();
  showControls();
  state.found = store.images.map((image) => image.place);
  showImage();
  find();
}

start();
