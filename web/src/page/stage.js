// The stage: one picture with what was found in it, and the faces' cards beside it.

import { button, byId, element, make, save } from './dom.js';
import { draw, named } from './draw.js';
import { addWhy, card } from './faces.js';
import { about, engine } from './networks.js';
import { counted } from './status.js';
import { flagged } from './unsure.js';

/** @import {Result} from '../engine/types.js' */

/**
 * @typedef {object} Shown
 * @property {ImageBitmap} picture is the stage's to close
 * @property {Result} result
 * @property {Uint8Array[]} crops of the faces; none: there are no heat maps
 * @property {boolean} mirrored
 */

const LONGEST = 2048;
const SHORTEST = 480;
const LARGEST_SAVED = 16_000_000;

const canvas = byId('picture', HTMLCanvasElement);
/** @type {Shown | null} */
let shown = null;

/** Show a picture, without its cards. @param {Shown} next */
export function put(next) {
  shown?.picture.close();
  shown = next;
  ready(true);
  redraw();
}

/** Show none. @param {boolean} [soon] whether one will come */
export function clear(soon = false) {
  shown?.picture.close();
  shown = null;
  ready(soon);
  element('results').hidden = true;
  element('faces').replaceChildren();
}

/** @param {boolean} is */
function ready(is) {
  canvas.hidden = !is;
  button('png').disabled = !is;
}

/** Draw what is on the stage, in a size that can be read on this screen. */
export function redraw() {
  if (!shown || !about) return;
  const { labels } = about;
  const { width, height } = shown.result;
  const longer = Math.max(width, height);
  const scale = Math.min(Math.max(SHORTEST / longer, 1), LONGEST / longer);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const text = (15 * canvas.width) / (canvas.clientWidth || canvas.width);
  const result = flagged(shown.result);
  draw(canvas, shown.picture, result, about, { text, mirrored: shown.mirrored });
  const names = result.faces.map((face) => named(face, labels));
  canvas.setAttribute('aria-label', names.length ? `picture with ${names.join(', ')}` : 'picture without a face');
}

/** Say beside the picture what was found. */
export function cards() {
  if (!shown || !about) return;
  const { crops, result } = shown;
  const known = about;
  const { faces, skipped } = flagged(result);
  const items = faces.map((face, place) => {
    const item = card(face, place, known);
    if (crops[place]) addWhy(item, face, crops[place], known, engine);
    return item;
  });
  if (!items.length) items.push(make('li', { class: 'note' }, 'No face found.'));
  if (skipped) items.push(make('li', { class: 'note' }, `${counted(skipped)} too small to read.`));
  element('faces').replaceChildren(...items);
  element('results').hidden = false;
}

/** Save what is on the stage, in its own size. @param {string} name of the picture */
export function savePicture(name) {
  if (!shown || !about) return;
  const { width, height } = shown.result;
  const scale = Math.min(1, Math.sqrt(LARGEST_SAVED / (width * height)));
  const sheet = make('canvas', {
    width: String(Math.max(1, Math.floor(width * scale))),
    height: String(Math.max(1, Math.floor(height * scale))),
  });
  const text = Math.max(11, Math.sqrt(sheet.width * sheet.height) / 40);
  draw(sheet, shown.picture, flagged(shown.result), about, { text, mirrored: shown.mirrored });
  const stem = name.replace(/\.[^.]*$/, '');
  sheet.toBlob((content) => content && save(content, `${stem}-expressions.png`), 'image/png');
}
