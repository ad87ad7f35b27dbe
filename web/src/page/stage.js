// The stage: one image with what was found in it, and the list of its faces beside it. Each face in
// the image and its line in the list point out one another.

import { boxesIn, draw, isUncertain, named, numberOf } from './draw.js';
import { button, byId, element, make, save } from './dom.js';
import { FaceCard, opensAtStart } from './faces.js';
import { about, engine } from './networks.js';
import { counted, countedEmotions } from './status.js';
import { flagUnsure } from './abstain.js';

/** @import {About, Area, Face, Result} from '../engine/types.js' */

/**
 * @typedef {object} Shown
 * @property {ImageBitmap} image is the stage's to close
 * @property {Result} result
 * @property {Uint8Array[]} crops of the faces; none: there are no heat maps
 * @property {boolean} mirrored
 * @property {boolean} moving whether another one follows immediately
 */

const LONGEST = 2048;
const SHORTEST = 480;
const LARGEST_SAVED = 16_000_000;
/** Pixels on the screen by which a pointer may miss a box. */
const NEAR = 6;

const canvas = byId('picture', HTMLCanvasElement);
const list = element('faces');
/** @type {Shown | null} */
let shown = null;
/** @type {Map<number, FaceCard>} by the faces' numbers */
const cardsByNumber = new Map();
/** @type {number | null} number of the face that is pointed out */
let lit = null;

/** Show an image, without the list of its faces. @param {Shown} next */
export function put(next) {
  shown?.image.close();
  shown = next;
  enableImage(true);
  redraw();
}

/** Show none. @param {boolean} [soon] whether one will come */
export function clear(soon = false) {
  shown?.image.close();
  [shown, lit] = [null, null];
  enableImage(soon);
  element('results').hidden = true;
  cardsByNumber.clear();
  list.replaceChildren();
}

/** @param {boolean} is */
function enableImage(is) {
  canvas.hidden = !is;
  button('png').disabled = !is;
}

/** Draw what is on the stage, in a size that can be read on this screen. */
export function redraw() {
  if (!shown || !about) return;
  const { width, height } = shown.result;
  const longer = Math.max(width, height);
  const scale = Math.min(Math.max(SHORTEST / longer, 1), LONGEST / longer);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const text = (15 * canvas.width) / (canvas.clientWidth || canvas.width);
  const result = flagUnsure(shown.result);
  const { mirrored, moving } = shown;
  draw(canvas, shown.image, result, about, { text, mirrored, lit, strip: !moving });
  canvas.setAttribute('aria-label', described(result, about));
}

/** Describe an image for those who do not see it. @param {Result} result @param {About} known */
function described({ faces }, known) {
  const certain = faces.filter((face) => !isUncertain(face));
  if (!certain.length) return 'image without a face';
  if (certain.length > 3) return `image with ${countedEmotions(faces, known)}`;
  return `image with ${certain.map((face) => named(face, known.labels)).join(', ')}`;
}

/** List the faces of what is on the stage. */
export function cards() {
  if (!shown || !about) return;
  const { crops, result } = shown;
  const { faces, skipped } = flagUnsure(result);
  const needed = faces.map((face, place) => card(face, place, crops[place]));
  for (const [number, old] of cardsByNumber) {
    if (!needed.includes(old)) remove(number, old);
  }
  needed.sort((one, other) => (one.number ?? 0) - (other.number ?? 0));
  const notes = [];
  if (!faces.length) notes.push('No face found.');
  if (skipped) notes.push(`${counted(skipped)} too small to read.`);
  place([...needed.map(({ item }) => item), ...notes.map((note) => make('li', { class: 'note' }, note))]);
  element('results').hidden = false;
}

/** @param {Face} face @param {number} place @param {Uint8Array | undefined} crop */
function card(face, place, crop) {
  const { image, result } = /** @type {Shown} */ (shown);
  const number = numberOf(face, place);
  let found = cardsByNumber.get(number);
  if (!found) {
    found = new FaceCard(/** @type {About} */ (about), engine, (on) => point(on ? number : null));
    found.details.open = opensAtStart(result.faces.length);
    cardsByNumber.set(number, found);
  }
  found.update({ face, place, image, scale: image.width / result.width, crop });
  return found;
}

/** @param {number} number @param {FaceCard} old */
function remove(number, old) {
  if (old.item.contains(document.activeElement)) element('results-title').focus();
  cardsByNumber.delete(number);
}

/**
 * Put items into the list; those that are in place stay untouched, and keep their focus.
 * @param {HTMLLIElement[]} items
 */
function place(items) {
  for (const child of [...list.children]) {
    if (!items.some((item) => item === child)) child.remove();
  }
  items.forEach((item, k) => {
    if (list.children[k] !== item) list.insertBefore(item, list.children[k] ?? null);
  });
}

/** Point out a face in the image and in the list. @param {number | null} number null: none */
function point(number) {
  if (number === lit) return;
  lit = number;
  for (const [key, one] of cardsByNumber) one.light(key === lit);
  redraw();
}

/** Return the number of the smallest face below the pointer. @param {MouseEvent} event */
function faceAt(event) {
  if (!shown) return null;
  const scale = canvas.width / (canvas.clientWidth || canvas.width);
  const [x, y] = [event.offsetX * scale, event.offsetY * scale];
  const near = NEAR * scale;
  const { result, mirrored } = shown;
  let best = null;
  let least = Infinity;
  boxesIn(canvas.width, result, mirrored).forEach(([left, top, wide, high], k) => {
    const inside = x >= left - near && x <= left + wide + near && y >= top - near && y <= top + high + near;
    if (inside && wide * high < least) [least, best] = [wide * high, numberOf(result.faces[k], k)];
  });
  return best;
}

canvas.addEventListener('pointermove', (event) => {
  const number = faceAt(event);
  canvas.classList.toggle('over-face', number !== null);
  point(number);
});
canvas.addEventListener('pointerleave', () => point(null));
canvas.addEventListener('click', (event) => {
  const number = faceAt(event);
  if (number === null) return;
  cardsByNumber.get(number)?.reveal();
  point(number);
});

/** Save what is on the stage, in its own size. @param {string} name of the image */
export function saveImage(name) {
  if (!shown || !about) return;
  const { width, height } = shown.result;
  const scale = Math.min(1, Math.sqrt(LARGEST_SAVED / (width * height)));
  const sheet = make('canvas', {
    width: String(Math.max(1, Math.floor(width * scale))),
    height: String(Math.max(1, Math.floor(height * scale))),
  });
  const { mirrored } = shown;
  const text = savedText(sheet.width, sheet.height, flagUnsure(shown.result).faces, width);
  draw(sheet, shown.image, flagUnsure(shown.result), about, { text, mirrored, strip: true });
  const stem = name.replace(/\.[^.]*$/, '');
  sheet.toBlob((content) => content && save(content, `${stem}-expressions.png`), 'image/png');
}

/**
 * Return the size of the text in a saved image: by the image, but small where faces are small.
 * @param {number} wide
 * @param {number} high
 * @param {Face[]} faces
 * @param {number} width of the result
 */
function savedText(wide, high, faces, width) {
  const byImage = Math.sqrt(wide * high) / 40;
  const sides = faces.map(({ box }) => (box[2] * wide) / width).sort((a, b) => a - b);
  const byFace = sides.length ? sides[sides.length >> 1] / 4.5 : byImage;
  return Math.max(11, Math.min(byImage, Math.max(byFace, byImage / 2)));
}
