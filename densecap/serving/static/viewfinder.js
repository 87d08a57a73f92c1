// The live picture: a camera or screen in the video, its frames to the server, the answers to the tracks.

import { predict, streamAddress } from "./api.js";
import { cameras, canShareScreen, looksAtVisitor, obstacle, openCamera, openScreen, sentence } from "./camera.js";
import { fitted, Frames, Meter } from "./frames.js";
import { Stream } from "./stream.js";

const HUD_PAUSE = 250; // milliseconds between two readings of rate and latency

export class Viewfinder {
  /**
   * `on.answered(answer)` for each answer, `on.state(state, seconds)` and `on.error(status, message)` as the stream has
   * them, `on.hello(hello)`, `on.changed()` when camera, mirror or pause did, `on.ended(sentence)` at its end.
   */
  constructor(stage, on) {
    Object.assign(this, { stage, on });
    this.video = stage.video;
    this.kind = null; // "camera" or "screen"
    this.facing = "user";
    this.meter = new Meter();
    this.hud = document.getElementById("hud");
    this.frames = new Frames(this.video, () => this.stream.pump());
    this.stream = new Stream(streamAddress, () => this.frames.grab(), {
      hello: on.hello,
      error: on.error,
      state: (state, seconds) => this.#state(state, seconds),
      regions: (answer, latency) => this.#answered(answer, latency),
    });
    this.choice = document.getElementById("camera-choice");
    this.choice.addEventListener("change", () => this.open("camera", { deviceId: this.choice.value }));
    this.video.addEventListener("resize", () => this.on.changed());
  }

  get paused() {
    return Boolean(this.kind) && this.video.paused;
  }

  /** Pixels of the frames that are sent. */
  frameSize() {
    return fitted(this.video.videoWidth || 1, this.video.videoHeight || 1, this.frames.longest);
  }

  /** Open a "camera" or the "screen"; resolves to a sentence when there is none. */
  async open(kind, wanted = { facing: this.facing }) {
    const trouble = kind === "camera" || !canShareScreen() ? obstacle() : null;
    if (trouble) return trouble;
    if (kind === "camera") this.#release(); // telephones open one camera at a time
    let media;
    try {
      media = kind === "camera" ? await openCamera(wanted, this.frames.longest) : await openScreen();
    } catch (error) {
      if (kind === "camera") this.close();
      return kind === "screen" && error.name === "NotAllowedError" ? null : sentence(error);
    }
    await this.#begin(kind, media);
    return null;
  }

  async #begin(kind, media) {
    this.#release();
    this.kind = kind;
    this.media = media;
    const [track] = media.getVideoTracks();
    track.addEventListener("ended", () => {
      if (this.media !== media) return;
      this.close();
      this.on.ended(kind === "camera" ? "The camera stopped." : "The screen is no longer shared.");
    });
    this.video.srcObject = media;
    this.stage.show("video");
    this.stage.mirror(kind === "camera" && looksAtVisitor(track));
    if (kind === "camera") this.facing = track.getSettings().facingMode || "user";
    await this.video.play().catch(() => {}); // another picture was opened meanwhile
    if (this.media !== media) return;
    this.meter.reset();
    this.hud.hidden = false;
    this.#show();
    await this.#list(track);
    this.stream.start();
    this.on.changed();
  }

  async #list(track) {
    const found = this.kind === "camera" ? await cameras() : [];
    this.severalCameras = found.length > 1;
    this.choice.hidden = !this.severalCameras;
    this.choice.replaceChildren(...found.map(({ deviceId, label }) => new Option(label, deviceId)));
    this.choice.value = track.getSettings().deviceId || "";
  }

  /** From the camera in front to the one at the back, and back; where cameras do not say what they are, to the next. */
  turn() {
    const { facingMode, deviceId } = this.media.getVideoTracks()[0].getSettings();
    if (!facingMode) {
      const known = [...this.choice.options].map((option) => option.value);
      return this.open("camera", { deviceId: known[(known.indexOf(deviceId) + 1) % known.length] });
    }
    this.facing = this.facing === "user" ? "environment" : "user";
    return this.open("camera", { facing: this.facing });
  }

  mirror() {
    this.stage.mirror(!this.stage.mirrored);
    this.on.changed();
  }

  pause() {
    if (!this.kind) return;
    if (this.video.paused) this.video.play();
    else this.video.pause();
    this.look();
    this.meter.reset();
    this.#show();
    this.on.changed();
  }

  /** Have the frame on show described, even when it was before: it stands still, or the options have changed. */
  look() {
    this.frames.fresh = true;
    this.stream.pump();
  }

  close() {
    this.stream.stop();
    this.#release();
    this.hud.hidden = true;
    this.on.changed();
  }

  #release() {
    for (const track of this.media?.getTracks() || []) track.stop();
    this.media = null;
    this.kind = null;
    this.video.srcObject = null;
  }

  /** The predictions document of the frame on show. */
  async document(name, settings, boxes) {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    return predict(blob, name, settings, boxes.inPixels(canvas.width, canvas.height));
  }

  #answered(answer, latency) {
    if (!this.paused) this.meter.add(performance.now(), latency);
    if (performance.now() - (this.read || 0) > HUD_PAUSE) this.#show();
    this.on.answered(answer);
  }

  #state(state, seconds) {
    this.state = state;
    if (state !== "open") this.meter.reset();
    this.#show();
    this.on.state(state, seconds);
  }

  #show() {
    this.read = performance.now();
    const rate = this.meter.rate();
    const latency = this.meter.latency();
    this.hud.dataset.state = this.paused ? "paused" : this.state;
    const [rateText, latencyText] = this.paused
      ? ["paused", ""]
      : [rate === null ? "…" : `${rate.toFixed(1)} frames/s`, latency === null ? "" : `${Math.round(latency)} ms`];
    document.getElementById("rate").textContent = rateText;
    document.getElementById("latency").textContent = latencyText;
  }
}
