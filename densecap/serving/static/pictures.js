// Files as pictures: for the screen, for the server, and the answer in the pixels of the file.

import { fitted } from "./frames.js";

const LARGE = 4 * 2 ** 20; // bytes above which a picture is sent smaller
const SENT = 2048; // pixels of its longest side then

/** A picture no larger than `longest` pixels, upright. */
export async function decoded(file, longest) {
  const bitmap = await createImageBitmap(file);
  const [resizeWidth, resizeHeight] = fitted(bitmap.width, bitmap.height, longest);
  if (resizeWidth === bitmap.width) return bitmap;
  const small = await createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: "medium" });
  bitmap.close();
  return small;
}

/** A bitmap as the content of a canvas. */
export function paint(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

/** What is sent of a file: itself, or a smaller JPEG of a large one; `scale` brings boxes back to its own pixels. */
export async function prepared(file) {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const large = file.size > LARGE && Math.max(width, height) > SENT;
  if (!large) {
    bitmap.close();
    return { body: file, width, height, scale: [1, 1] };
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = fitted(width, height, SENT);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const body = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return { body, width: canvas.width, height: canvas.height, scale: [width / canvas.width, height / canvas.height] };
}

/** The answer in pixels of the file's own picture. */
export function enlarged(answer, name, [horizontal, vertical]) {
  for (const image of answer.images) {
    image.file = name;
    image.width = Math.round(image.width * horizontal);
    image.height = Math.round(image.height * vertical);
    for (const region of image.regions) {
      region.box = region.box.map((value, side) => Math.round(value * (side % 2 ? vertical : horizontal) * 100) / 100);
    }
  }
  return answer;
}
