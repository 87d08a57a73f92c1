// Draws boxes with their captions on a canvas: the overlay of the page and the saved picture alike.

const COLOURS = [
  "#62d2f2", "#ffb84d", "#9be564", "#ff8a80", "#cfa8ff", "#5fe0bd", "#ffd84d", "#f79ad3", "#a9bfff", "#ffa36b",
  "#d3e86a", "#8fdde8",
];
const INK = "#12151a";

export function colour(number) {
  return COLOURS[(number - 1) % COLOURS.length];
}

/**
 * Tracks on `context`, in a picture at `place` {x, y, width, height} of it. `lit` is the id of the one that stands out,
 * `mirrored` turns left and right, `unit` is the size of a point of text against the page's,
 * `taken` are rectangles where no caption may be.
 */
export function drawTracks(context, tracks, place, { lit = null, mirrored = false, unit = 1, taken = [] } = {}) {
  const boxes = tracks.map((track) => ({ track, rect: rectangle(track.box, place, mirrored) }));
  const rest = boxes.filter(({ track }) => track.id !== lit);
  const chosen = boxes.filter(({ track }) => track.id === lit);
  context.save();
  context.lineJoin = "round";
  context.textBaseline = "middle";
  for (const { track, rect } of rest) outline(context, track, rect, unit, chosen.length ? 0.25 : 1, false);
  for (const { track, rect } of chosen) outline(context, track, rect, unit, 1, true);
  // Those that had their words before come first, so that words do not jump between boxes.
  rest.sort(({ track: a }, { track: b }) => Number(b.worded) - Number(a.worded) || b.score - a.score);
  for (const { track, rect } of [...chosen, ...rest]) {
    label(context, track, rect, place, taken, unit, chosen.length && track.id !== lit ? 0.15 : 1);
  }
  context.restore();
}

/** Where a box in shares of the picture lies on the canvas. */
export function rectangle([x1, y1, x2, y2], place, mirrored) {
  const [left, right] = mirrored ? [1 - x2, 1 - x1] : [x1, x2];
  return {
    x: place.x + left * place.width,
    y: place.y + y1 * place.height,
    width: (right - left) * place.width,
    height: (y2 - y1) * place.height,
  };
}

function outline(context, track, rect, unit, strength, filled) {
  const path = new Path2D();
  path.roundRect(rect.x, rect.y, rect.width, rect.height, 4 * unit);
  context.globalAlpha = track.opacity * strength;
  if (filled) {
    context.globalAlpha *= 0.16;
    context.fillStyle = colour(track.number);
    context.fill(path);
    context.globalAlpha = track.opacity;
  }
  context.lineWidth = 4.5 * unit;
  context.strokeStyle = "rgb(0 0 0 / 45%)";
  context.stroke(path);
  context.lineWidth = (filled ? 3.2 : 2.4) * unit;
  context.strokeStyle = colour(track.number);
  context.stroke(path);
}

/** The caption in the first free place around its box; where there is none, only the number. */
function label(context, track, rect, place, taken, unit, strength) {
  const size = (place.width < 520 * unit ? 11.5 : 13.5) * unit;
  context.font = `600 ${size}px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif`;
  const room = Math.min(place.width - 8 * unit, Math.max(rect.width, place.width * 0.45));
  const words = shortened(context, track.caption, room);
  const full = chip(context, words, rect, place, size);
  let text = words;
  let spot = candidates(full, rect, place, track.spot).find((item) => !taken.some((other) => overlap(item, other)));
  track.worded = Boolean(spot);
  if (!spot) {
    text = String(track.number);
    const short = chip(context, text, rect, place, size);
    spot = candidates(short, rect, place, 1)[0];
  }
  track.spot = spot.index;
  taken.push(spot);
  context.globalAlpha = track.opacity * strength;
  context.fillStyle = colour(track.number);
  context.beginPath();
  context.roundRect(spot.x, spot.y, spot.width, spot.height, 4 * unit);
  context.fill();
  context.fillStyle = INK;
  context.fillText(text, spot.x + size * 0.45, spot.y + spot.height / 2 + size * 0.05);
}

function chip(context, text, rect, place, size) {
  return { width: context.measureText(text).width + size * 0.9, height: size * 1.55 };
}

function candidates({ width, height }, rect, place, first) {
  const x = Math.max(place.x, Math.min(rect.x, place.x + place.width - width));
  const end = Math.max(place.x, Math.min(rect.x + rect.width - width, place.x + place.width - width));
  const spots = [
    { x, y: rect.y - height },
    { x, y: rect.y },
    { x, y: rect.y + rect.height - height },
    { x, y: rect.y + rect.height },
    { x: end, y: rect.y - height },
    { x: end, y: rect.y + rect.height },
  ].map((spot, index) => ({ ...spot, width, height, index }));
  const inside = spots.filter(({ y }) => y >= place.y && y + height <= place.y + place.height);
  inside.sort((a, b) => Number(b.index === first) - Number(a.index === first));
  return inside.length ? inside : [{ x, y: Math.max(place.y, rect.y), width, height, index: 1 }];
}

function overlap(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end).trimEnd()}…`;
}
