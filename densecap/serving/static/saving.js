// Saving: the picture with its boxes as PNG, the document as JSON, the document on the clipboard.

import { drawTracks } from "./drawing.js";

const LEGIBLE = 1000; // small pictures are enlarged to this many pixels, so that words can be read

/** A canvas with the stage's picture, boxes and captions. */
export function snapshot(stage) {
  const [width, height] = stage.size();
  const scale = Math.max(1, LEGIBLE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.save();
  if (stage.mirrored) {
    context.translate(canvas.width, 0);
    context.scale(-1, 1);
  }
  context.drawImage(stage.what === "video" ? stage.video : stage.picture, 0, 0, canvas.width, canvas.height);
  context.restore();
  const place = { x: 0, y: 0, width: canvas.width, height: canvas.height };
  const unit = Math.max(canvas.width, canvas.height) / 900;
  drawTracks(context, stage.boxes(), place, { mirrored: stage.mirrored, lit: stage.lit, unit });
  return canvas;
}

export function saveCanvas(canvas, name) {
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(save(blob, name)), "image/png"));
}

export function saveJson(document_, name) {
  save(new Blob([`${JSON.stringify(document_, null, 1)}\n`], { type: "application/json" }), name);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Put text on the clipboard; pages that are not secure have the old way only. */
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser did not allow it");
}

/** A file name that sorts by time. */
export function stamped(ending) {
  return `densecap-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${ending}`;
}
