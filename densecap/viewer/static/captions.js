// The captions of an image: one list for each file, and one for the truth.
"use strict";

class View {
  /** One file: its head, its stage and its captions. */
  constructor(file, number, act) {
    this.file = file;
    this.number = number;
    this.stage = new Stage(act);
    this.count = make("small", { class: "numbers" });
    this.list = make("div", { class: "captions" });
    const head = make("header", { class: "head" }, make("h2", {}, file.title), this.count);
    this.side = make("div", { class: "side" }, head, this.list);
    this.node = make("section", { class: "view", "aria-label": file.title }, this.stage.node, this.side);
    this.listen(act);
  }

  listen(act) {
    const key = (event) => event.target.closest?.("button.caption")?.dataset.key ?? null;
    this.list.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") act.hover(key(event)); });
    this.list.addEventListener("pointerleave", () => act.hover(null));
    this.list.addEventListener("focusin", (event) => {
      if (event.target.matches(":focus-visible")) act.hover(key(event));
    });
    this.list.addEventListener("focusout", () => act.hover(null));
    this.list.addEventListener("click", (event) => {
      if (key(event)) act.pin(key(event) === state.pinned ? null : key(event));
    });
  }

  /** `lists` are the regions in the data; null while they are loaded. */
  show(image, lists) {
    const own = lists && lists[this.number], truth = lists && lists[lists.length - 1];
    this.own = state.shown(own, String(this.number));
    this.truths = state.truth ? state.shown(truth, "t") : [];
    this.regions = [...this.own, ...this.truths];
    this.stage.show(image, this.regions, this.file.title);
    this.count.textContent = counted(own, this.own.length);
    this.list.replaceChildren(...this.parts(lists, own, truth));
    this.list.scrollTop = 0;
  }

  parts(lists, own, truth) {
    if (!lists) return [make("p", { class: "empty" }, "loading ...")];
    const parts = [];
    if (!own) parts.push(make("p", { class: "empty" }, "this file says nothing about the image"));
    else if (!own.length) parts.push(make("p", { class: "empty" }, "no regions were found"));
    else if (!this.own.length) parts.push(make("p", { class: "empty" }, "no region has so high a score"));
    parts.push(listOf(this.own, "Captions"));
    if (state.truth) {
      parts.push(make("h3", {}, "Truth", make("small", { class: "numbers" }, truth ? String(truth.length) : "")));
      parts.push(truth ? listOf(this.truths, "True captions") : make("p", { class: "empty" }, "no truth about this image"));
    }
    return parts;
  }

  light(key, pairs, bring) {
    this.stage.light(key, pairs);
    for (const button of this.list.querySelectorAll("button.caption")) {
      const isOn = button.dataset.key === key;
      button.classList.toggle("on", isOn);
      button.classList.toggle("pair", pairs.has(button.dataset.key));
      button.setAttribute("aria-pressed", String(button.dataset.key === state.pinned));
      if (isOn && bring) intoSight(button);
    }
  }
}

const counted = (own, shown) => (!own ? "" : shown < own.length ? `${shown} of ${own.length}` : String(own.length));

const listOf = (regions, name) => make("ol", { "aria-label": name }, ...regions.map((region) => make("li", {}, row(region))));

function row(region) {
  const isTruth = region.layer === "t";
  const text = make("span", { class: "text" }, ...search.marked(state.expressions, region.caption || "(nothing)"));
  const others = region.others.map((other) => make("span", { class: "other" }, ...search.marked(state.expressions, other)));
  const score = region.score === null ? null : make("span", { class: "score numbers" }, region.score.toFixed(2));
  const classes = ["caption", region.hit ? "hit" : "", region.box ? "" : "whole"].filter(Boolean).join(" ");
  const swatch = region.box
    ? make("span", { class: isTruth ? "swatch true" : "swatch", "aria-hidden": "true" }, isTruth ? "" : String(region.rank + 1)) : null;
  const button = make("button", { type: "button", class: classes, "data-key": region.key, "aria-pressed": "false" },
    swatch, make("span", { class: "said" }, text, ...others), score);
  button.style.setProperty("--colour", colourOf(region));
  if (region.score !== null) button.style.setProperty("--score", String(Math.max(Math.min(region.score, 1), 0)));
  return button;
}

/** Scroll the list, not the page, unless the page is what scrolls. */
function intoSight(node) {
  const list = node.closest(".captions");
  if (list.scrollHeight <= list.clientHeight + 1) { node.scrollIntoView({ block: "nearest" }); return; }
  const area = list.getBoundingClientRect(), own = node.getBoundingClientRect();
  if (own.top < area.top) list.scrollTop -= area.top - own.top + 8;
  else if (own.bottom > area.bottom) list.scrollTop += own.bottom - area.bottom + 8;
}
