// What keys do.
"use strict";

const KEYS = {
  d: () => act.turn(1), arrowright: () => act.turn(1), a: () => act.turn(-1), arrowleft: () => act.turn(-1),
  s: () => step(1), arrowdown: () => step(1), w: () => step(-1), arrowup: () => step(-1),
  home: () => turnTo(state.found[0] ?? null), end: () => turnTo(state.found[state.found.length - 1] ?? null),
  t: () => setTruth(), g: () => setView(state.view === "grid" ? "list" : "grid"), l: () => turnTheme(), r: () => reset(),
  "/": () => { byId("query").focus(); byId("query").select(); },
  "?": () => byId("help").showModal(),
  escape: () => { if (state.pinned) act.pin(null); else if (state.view === "grid") setView("list"); },
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open || event.isComposing) return;
  const isTyping = event.target.matches?.("input[type=search]");
  if (isTyping) {
    if (event.key === "Escape" || event.key === "Enter") { event.target.blur(); event.preventDefault(); }
    return;
  }
  if (event.target.matches?.("input[type=range]") && /^(Arrow|Home|End)/.test(event.key)) return;
  const run = KEYS[event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  run();
}
