// Pictures that were chosen, dropped or pasted: each is described once, and again when the settings change.

import { predict } from "./api.js";
import { decoded, enlarged, paint, prepared } from "./pictures.js";

const SHOWN = 1600; // pixels of the longest side of what is displayed
const THUMBNAIL = 96;

export class Stills {
  /** `on.chosen(item)`, `on.described(item)` for the item on show; `ask()` gives {settings, boxes(width, height)}. */
  constructor(ask, on) {
    Object.assign(this, { ask, on });
    this.items = [];
    this.current = null;
    this.strip = document.getElementById("strip");
    this.strip.addEventListener("click", (event) => {
      const index = [...this.strip.children].indexOf(event.target.closest("button"));
      if (index >= 0) this.choose(this.items[index]);
    });
  }

  /** Take files in place of those before, and show the first. */
  async open(files) {
    this.close();
    this.items = files.map((file, index) => ({ file, name: file.name || `pasted-${index + 1}.png`, state: "waiting" }));
    this.strip.replaceChildren(...this.items.map((item) => this.#thumbnail(item)));
    this.strip.hidden = this.items.length < 2;
    await this.choose(this.items[0]);
  }

  close() {
    this.cancel?.abort();
    this.cancel = null;
    this.items = [];
    this.current = null;
    this.strip.hidden = true;
  }

  async choose(item) {
    this.current = item;
    try {
      item.bitmap ??= await decoded(item.file, SHOWN);
    } catch {
      fail(item, 415, `${item.name} is no picture that this browser can show.`);
    }
    if (this.current !== item) return;
    for (const other of this.items) {
      if (other !== item) other.bitmap = null; // many large pictures would fill the memory
      mark(other, other === item);
    }
    item.thumbnail.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.on.chosen(item);
    this.#work();
  }

  /** The one `steps` further on. */
  step(steps) {
    const next = this.items[this.items.indexOf(this.current) + steps];
    if (next) this.choose(next);
  }

  /** Describe again: settings or boxes have changed. */
  again(onlyCurrent = false) {
    this.cancel?.abort();
    this.cancel = null;
    for (const item of onlyCurrent ? [this.current] : this.items) {
      if (item && item.state !== "unreadable") item.state = "waiting";
    }
    this.#work();
  }

  /** One predictions document of all that were described, or null. */
  document() {
    const done = this.items.filter((item) => item.document);
    if (!done.length) return null;
    const head = { ...done[0].document };
    delete head.timing;
    return { ...head, images: distinct(done.flatMap((item) => item.document.images)), errors: this.#errors() };
  }

  #errors() {
    return this.items.filter((item) => item.error).map((item) => ({ file: item.name, reason: item.error.message }));
  }

  /** One request after the other, the picture on show first. */
  async #work() {
    if (this.cancel) return;
    const cancel = new AbortController();
    this.cancel = cancel;
    for (let item = this.#next(); item; item = this.#next()) {
      await this.#describe(item, cancel.signal);
      if (cancel.signal.aborted) return;
    }
    this.cancel = null;
  }

  #next() {
    return [this.current, ...this.items].find((item) => item?.state === "waiting");
  }

  async #describe(item, signal) {
    this.#set(item, "busy");
    try {
      const { body, width, height, scale } = await prepared(item.file);
      const { settings, boxes } = this.ask();
      const given = boxes(width, height);
      const answer = await predict(body, item.name, settings, given, signal);
      if (!answer.images.length) throw Object.assign(new Error(answer.errors[0].reason), { status: 415 });
      item.document = enlarged(answer, item.name, scale);
      item.error = null;
      this.#set(item, "done");
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      fail(item, error.status ?? 415, error.message);
      this.#set(item, item.state);
      if ([0, 429, 503].includes(error.status)) await this.#pause(item, signal);
    }
    if (item === this.current) this.on.described(item);
  }

  /** The server is busy or away: say so, and try again in a moment. */
  async #pause(item, signal) {
    if (item === this.current) this.on.described(item);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    if (!signal.aborted) item.state = "waiting";
  }

  #set(item, state) {
    item.state = state;
    mark(item, item === this.current);
    if (state === "busy" && item === this.current) this.on.described(item);
  }

  #thumbnail(item) {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    button.setAttribute("role", "option");
    button.setAttribute("aria-label", item.name);
    button.title = item.name;
    button.append(canvas);
    item.thumbnail = button;
    if (this.items.length > 1) decoded(item.file, THUMBNAIL).then((bitmap) => paint(canvas, bitmap), () => {});
    return button;
  }
}

/** The same with an image_id that no other has: files of two folders may have one name. */
function distinct(images) {
  const used = new Map();
  return images.map((image) => {
    const count = (used.get(image.image_id) || 0) + 1;
    used.set(image.image_id, count);
    return count === 1 ? image : { ...image, image_id: `${image.image_id} (${count})` };
  });
}

function mark(item, current) {
  item.thumbnail.setAttribute("aria-selected", String(current));
  item.thumbnail.dataset.state = item.state;
}

function fail(item, status, message) {
  item.state = status === 415 ? "unreadable" : "failed";
  item.error = { status, message };
  item.document = null;
}
