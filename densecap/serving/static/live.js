// The page: pictures and cameras on one side, the server on the other.

import { model, takeTokenFromAddress } from "./api.js";
import { Boxes } from "./boxes.js";
import { canShareScreen } from "./camera.js";
import { bindCommands, bindFiles, enable, offer, press, rename } from "./commands.js";
import { describeModel, greet } from "./greeting.js";
import { keeping } from "./keeping.js";
import { quiet, say, sentenceOf } from "./messages.js";
import { paint } from "./pictures.js";
import { Settings } from "./settings.js";
import { choose, forget, label, mode, setMode, showFrame, showStill, stage } from "./showing.js";
import { Stills } from "./stills.js";
import { Viewfinder } from "./viewfinder.js";

const boxes = new Boxes(stage, boxesChanged);
const settings = new Settings(() => (mode === "stills" ? stills.again() : setOptions()));
const viewfinder = new Viewfinder(stage, {
  hello: (hello) => greeted(hello.model, hello.limits),
  answered,
  state: streamState,
  error: streamError,
  changed: liveChanged,
  ended: (sentence) => (enter("empty"), say(sentence)),
});
const stills = new Stills(
  () => ({ settings: settings.values(), boxes: (width, height) => boxes.inPixels(width, height) }),
  { chosen: stillChosen, described: stillDescribed },
);

function enter(next) {
  if (next !== "stills") stills.close();
  boxes.list = [];
  setDrawing(false);
  setMode(next);
  enable(["draw", "snapshot", "json", "copy"], next !== "empty");
  offer("clear", false);
}

function greeted(facts, limits) {
  describeModel(facts);
  viewfinder.frames.longest = facts.config?.image_size || viewfinder.frames.longest;
  settings.bound(limits || {});
}

async function start() {
  const facts = await greet();
  if (facts) greeted(facts, facts.limits);
  return Boolean(facts);
}

// ---------------------------------------------------------------- pictures

async function openFiles(files) {
  const pictures = files.filter((file) => !file.type || file.type.startsWith("image/"));
  if (!pictures.length) return files.length && say("That is no picture. JPEG, PNG, WebP and GIF work everywhere.");
  quiet();
  if (viewfinder.kind) viewfinder.close();
  enter("stills");
  await stills.open(pictures);
}

function stillChosen(item) {
  boxes.list = [];
  offer("clear", false);
  quiet("bad");
  if (item.bitmap) paint(stage.picture, item.bitmap);
  stage.show(item.bitmap ? "picture" : "none");
  stage.mirror(false);
  forget("Looking …");
  stillDescribed(item);
}

function stillDescribed(item) {
  if (item.error) {
    forget("");
    if (item.error.status === 401) return start().then((known) => known && stills.again());
    return say(item.bitmap ? sentenceOf(item.error.status, item.error.message) : item.error.message);
  }
  if (item.state !== "done") return;
  quiet("bad");
  const [image] = item.document.images;
  boxes.described = boxes.list.length;
  showStill(image);
  label(`${item.name}: ${image.regions.map((region) => region.caption).join("; ") || "nothing found"}`);
}

// ---------------------------------------------------------------- live

async function openLive(kind) {
  if (viewfinder.kind === kind) {
    viewfinder.close();
    return enter("empty");
  }
  quiet();
  const trouble = await viewfinder.open(kind);
  if (trouble) say(trouble);
  if (viewfinder.kind) enter("live");
  else if (mode === "live") enter("empty");
  liveChanged();
}

async function turn() {
  const trouble = await viewfinder.turn();
  if (trouble) (enter("empty"), say(trouble));
}

function liveChanged() {
  const { kind, paused } = viewfinder;
  press("camera", kind === "camera");
  press("screen", kind === "screen");
  press("mirror", stage.mirrored);
  press("pause", paused);
  rename("pause", paused ? "play" : "pause", paused ? "Go on" : "Pause");
  offer("turn", kind === "camera" && viewfinder.severalCameras && matchMedia("(pointer: coarse)").matches);
  offer("mirror", kind === "camera");
  if (kind) setOptions();
}

function setOptions() {
  const given = boxes.inPixels(...viewfinder.frameSize());
  viewfinder.stream.set({ ...settings.values(), boxes: given, track: true });
  if (viewfinder.paused) viewfinder.look();
}

function answered(answer) {
  if (mode !== "live") return;
  quiet("busy");
  boxes.described = boxes.list.length;
  showFrame(answer);
}

function streamState(state, seconds) {
  if (state === "waiting") {
    say(`The connection to the server was lost; trying again in ${seconds} s.`, "busy");
    findOut();
  } else if (state === "silent") say("The server has not answered for some seconds.", "busy");
  else if (state === "open") quiet("busy");
}

/** A socket does not say why it was refused; a request does. */
async function findOut() {
  try {
    await model();
  } catch (error) {
    streamError(error.status, error.message);
  }
}

async function streamError(status, message) {
  if (status === 401) {
    viewfinder.stream.stop();
    if ((await start()) && viewfinder.kind) viewfinder.stream.start();
  } else if (status) say(sentenceOf(status, message), "busy");
}

// ---------------------------------------------------------------- boxes that are drawn

function boxesChanged() {
  offer("clear", boxes.list.length > 0);
  boxes.described = 0;
  forget("Looking …");
  if (mode === "stills") stills.again(true);
  else setOptions();
}

function setDrawing(active) {
  boxes.activate(active);
  press("draw", active);
  if (active) {
    say("Draw a box around something: it is described instead of what the model finds.", "good", 6);
    stage.element.focus({ preventScroll: true });
  } else quiet("good");
}

function clear() {
  if (boxes.list.length) boxes.clear();
  else if (boxes.active) setDrawing(false);
  else choose(null);
}

bindCommands({
  camera: () => openLive("camera"),
  screen: () => openLive("screen"),
  open: () => document.getElementById("files").click(),
  photo: () => document.getElementById("shutter").click(),
  pause: () => viewfinder.pause(),
  turn,
  mirror: () => viewfinder.kind === "camera" && viewfinder.mirror(),
  draw: () => mode !== "empty" && setDrawing(!boxes.active),
  clear,
  back: () => mode === "stills" && stills.step(-1),
  on: () => mode === "stills" && stills.step(1),
  ...keeping(viewfinder, stills, settings, boxes),
});
bindFiles(openFiles);
offer("screen", canShareScreen() || !window.isSecureContext);
takeTokenFromAddress();
enter("empty");
if ((await start()) && new URLSearchParams(location.search).get("camera") === "1") openLive("camera");
