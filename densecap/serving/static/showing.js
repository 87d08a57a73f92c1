// What is on show: the mode of the page, the regions on stage and in the list, and which of them stands out.

import { Captions } from "./captions.js";
import { isWhole, Stage } from "./stage.js";
import { Tracks } from "./tracks.js";

/** "empty", "stills" or "live". */
export let mode = "empty";
export const tracks = new Tracks();
export const stage = new Stage(tracks, { hover: light, choose });
const captions = new Captions({ hover: light, choose });
const whole = document.getElementById("whole");
let chosen = null; // id of the region that was clicked

export function setMode(next) {
  mode = next;
  document.body.dataset.mode = next;
  if (next === "empty") stage.show("none");
  label(next === "live" ? "Live picture" : "No picture yet");
  forget();
}

/** No regions any more. */
export function forget(note) {
  tracks.clear();
  chosen = null;
  light(null);
  refresh(note);
}

/** Regions of a picture, in their places at once. */
export function showStill(image) {
  tracks.update(image.regions, image.width, image.height, performance.now(), true);
  chosen = null;
  light(null);
  refresh("Nothing above the least score. Lower it in the settings.");
}

/** Regions of the next frame. */
export function showFrame(answer) {
  tracks.update(answer.regions, answer.width, answer.height, performance.now());
  if (chosen !== null && !tracks.get(chosen)) choose(null);
  refresh("Nothing above the least score right now.");
}

/** Draw the tracks and list them; `note` stands where there are none. */
function refresh(note = "What the model sees appears here.") {
  const present = tracks.present();
  captions.show(present, note);
  const text = present.length === 1 && isWhole(present[0]) ? present[0].caption : "";
  if (whole.textContent !== text) whole.textContent = text;
  whole.hidden = !text;
  stage.draw();
}

/** What screen readers say of the stage. */
export function label(text) {
  stage.element.setAttribute("aria-label", text);
}

function light(id) {
  const lit = id ?? chosen;
  stage.light(lit);
  captions.light(lit, chosen);
}

/** Let a region stand out until it is chosen again. */
export function choose(id) {
  chosen = id === chosen ? null : id;
  light(null);
}
