// Finding images by their captions, chunk by chunk as these come; what is found is shown meanwhile.
"use strict";

let searchRound = 0;

/** Find images anew; an older search that is still under way gives up. */
async function find() {
  const round = ++searchRound;
  const all = store.images.map((image) => image.place);
  state.hits = new Map();
  if (!state.expressions.length) {
    state.isSearching = false;
    byId("progress").hidden = true;
    setFound(all);
    return;
  }
  state.isSearching = true;
  const found = [];
  for (let number = 0; number < store.numChunks; number += 1) {
    for (let ahead = number; ahead < Math.min(number + 4, store.numChunks); ahead += 1) store.load(ahead).catch(() => {});
    try { await store.load(number); } catch (error) { problem(error.message); }
    if (round !== searchRound) return;
    const own = all.slice(number * store.chunk, (number + 1) * store.chunk);
    for (const place of own) {
      const hits = search.count(state.expressions, state.searched(place) || []);
      if (hits) { state.hits.set(place, hits); found.push(place); }
    }
    const done = (number + 1) / store.numChunks;
    byId("progress").firstElementChild.style.width = `${Math.round(done * 100)}%`;
    byId("progress").hidden = done === 1;
    if (done === 1 || number % 8 === 0) { state.isSearching = done < 1; setFound([...found]); }
  }
}

function setFound(found) {
  state.found = found;
  const captions = [...state.hits.values()].reduce((sum, hits) => sum + hits, 0);
  const number = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const all = number(store.images.length, "image");
  byId("found").textContent = state.expressions.length
    ? `${found.length.toLocaleString("en")} of ${all} · ${number(captions, "caption")}${state.isSearching ? " …" : ""}` : all;
  byId("nothing").hidden = found.length > 0 || state.isSearching;
  byId("nothing").textContent = found.length ? "" : "No caption that is shown says so. Fewer words, a lower score or more boxes may find some.";
  document.body.classList.toggle("none", !found.length && !state.isSearching);
  imageList.refresh();
  if (found.length && !found.includes(state.place) && !state.isSearching) turnTo(found[0]);
  else if (shownRound) drawImage();
  imageList.follow();
}
