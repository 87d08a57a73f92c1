// The list of captions. Rows stay with their boxes, so that nothing flickers while frames come in.

import { colour } from "./drawing.js";

export class Captions {
  constructor(on) {
    this.on = on;
    this.element = document.getElementById("captions");
    this.note = document.getElementById("captions-note");
    this.count = document.getElementById("count");
    this.rows = new Map();
    this.element.addEventListener("pointerover", (event) => event.pointerType === "mouse" && on.hover(idOf(event)));
    this.element.addEventListener("pointerleave", () => on.hover(null));
    this.element.addEventListener("focusin", (event) => on.hover(idOf(event)));
    this.element.addEventListener("focusout", () => on.hover(null));
    this.element.addEventListener("click", (event) => on.choose(idOf(event)));
  }

  /** Show these tracks, in their order; `note` stands where there are none. */
  show(tracks, note) {
    const present = new Set(tracks.map((track) => track.id));
    for (const [id, row] of this.rows) {
      if (present.has(id)) continue;
      row.item.remove();
      this.rows.delete(id);
    }
    tracks.forEach((track, index) => {
      const row = this.rows.get(track.id) || this.#row(track);
      write(row.words, track.caption || "(no words)");
      write(row.score, `${Math.round(track.score * 100)} %`);
      const there = this.element.children[index] || null;
      if (there !== row.item) this.element.insertBefore(row.item, there);
    });
    write(this.count, tracks.length ? String(tracks.length) : "");
    this.note.hidden = tracks.length > 0;
    write(this.note, note);
  }

  #row(track) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const [number, words, score] = ["number", "words", "score"].map((name) => {
      const part = document.createElement("span");
      part.className = name;
      button.append(part);
      return part;
    });
    number.textContent = track.number;
    number.style.background = colour(track.number);
    score.title = "How sure the model is that this is a region worth a caption";
    item.dataset.id = track.id;
    item.append(button);
    const row = { item, words, score };
    this.rows.set(track.id, row);
    return row;
  }

  light(id, chosen) {
    for (const [own, { item }] of this.rows) {
      item.classList.toggle("lit", own === id);
      item.firstChild.setAttribute("aria-pressed", String(own === chosen));
    }
  }
}

function idOf(event) {
  const item = event.target.closest("li[data-id]");
  return item ? Number(item.dataset.id) : null;
}

/** Only what changed is written: every write costs the browser a layout. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
