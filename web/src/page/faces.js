// The list of faces beside the image: a line for each with its thumbnail, and details on demand.

import { highest } from '../engine/table.js';
import { colour, isUncertain, isUnsure, named, numberOf, percent } from './draw.js';
import { make } from './dom.js';
import { drawHeat } from './heatmap.js';

/** @import {About, Face} from '../engine/types.js' */
/** @import {Engine} from './engine.js' */

/** Faces up to which all details are open from the start. */
const OPEN = 2;
const THUMBNAIL = 88;

/**
 * @typedef {object} Subject what a card is of
 * @property {Face} face
 * @property {number} place from 0
 * @property {CanvasImageSource} image in which the face is
 * @property {number} scale pixels of that image per pixel of the result
 * @property {Uint8Array | undefined} crop of the face; none: there is no heat map
 */

/** A line of the list, with details that open below it. */
export class FaceCard {
  #thumbnail = make('canvas', { class: 'thumbnail', 'aria-hidden': 'true' });
  #number = make('span', { class: 'number' });
  #words = make('span', { class: 'words' });
  #gauge = make('span', { class: 'gauge', 'aria-hidden': 'true' }, make('span'));
  #notes = make('div');
  #scores = make('div');
  #why = make('div', { class: 'why' });
  /** @type {Subject | null} */
  #subject = null;

  /**
   * @param {About} about
   * @param {Engine} engine
   * @param {(on: boolean) => void} point called when the card is pointed at, or no longer
   */
  constructor(about, engine, point) {
    this.about = about;
    this.engine = engine;
    const title = make('h3', {}, this.#number, this.#words);
    this.summary = make('summary', {}, this.#thumbnail, title, this.#gauge);
    const body = make('div', { class: 'details' }, this.#notes, this.#scores, this.#why);
    this.details = make('details', {}, this.summary, body);
    this.item = make('li', { class: 'face' }, this.details);
    this.details.addEventListener('toggle', () => this.#fill());
    for (const name of ['pointerenter', 'focusin']) this.item.addEventListener(name, () => point(true));
    for (const name of ['pointerleave', 'focusout']) this.item.addEventListener(name, () => point(false));
  }

  /** Show a face, the same one as before or as it is now. @param {Subject} subject */
  update(subject) {
    this.#subject = subject;
    const { face, place } = subject;
    const number = numberOf(face, place);
    this.number = number;
    this.item.id = `face-${number}`;
    this.item.classList.toggle('uncertain', isUncertain(face));
    this.#number.replaceChildren(make('span', { class: 'hidden' }, 'Face '), String(number));
    const name = named(face, this.about.labels);
    const words = isUncertain(face) ? 'uncertain' : name;
    this.#words.replaceChildren(make('span', { class: 'hidden' }, ': '), words);
    paintBar(/** @type {HTMLElement} */ (this.#gauge.firstElementChild), Math.max(...face.scores), this.#ink());
    drawThumbnail(this.#thumbnail, subject);
    this.#fill();
  }

  /** Point the card out, or no longer. @param {boolean} on */
  light(on) {
    this.item.classList.toggle('lit', on);
  }

  /** Open the details, and bring the card into view. */
  reveal() {
    this.details.open = true;
    this.summary.focus({ preventScroll: true });
    this.item.scrollIntoView({ block: 'nearest' });
  }

  #ink() {
    const { face } = /** @type {Subject} */ (this.#subject);
    return colour(this.about.colours[this.about.labels[highest(face.scores)]]);
  }

  /** Write the details, where they are open. */
  #fill() {
    if (!this.#subject || !this.details.open) return;
    const { face, crop } = this.#subject;
    this.#notes.replaceChildren(...notesOf(face).map((note) => make('p', { class: 'note' }, note)));
    this.#scores.replaceChildren(bars(face, this.about));
    if (crop && !this.#why.childElementCount) {
      this.#why.append(...whyOf(face, crop, this.about, this.engine));
    }
  }
}

/** Say whether the details of so many faces are open from the start. @param {number} count */
export const opensAtStart = (count) => count <= OPEN;

/** @param {Face} face */
function notesOf(face) {
  const notes = [];
  if (isUncertain(face)) {
    notes.push(`Perhaps no face: the face detector is ${percent(face.confidence)} confident.`);
  }
  if (isUnsure(face)) notes.push('No score is high enough to name an expression.');
  if (face.flags.includes('cut')) notes.push('Part of this face lies outside the image.');
  return notes;
}

/**
 * Draw the face and a little around it, square.
 * @param {HTMLCanvasElement} canvas
 * @param {Subject} subject
 */
function drawThumbnail(canvas, { face, image, scale }) {
  const [x, y, wide, high] = face.box;
  const side = 1.25 * Math.max(wide, high);
  canvas.width = canvas.height = THUMBNAIL;
  const [left, top] = [x + (wide - side) / 2, y + (high - side) / 2].map((corner) => scale * corner);
  canvas
    .getContext('2d')
    ?.drawImage(image, left, top, scale * side, scale * side, 0, 0, THUMBNAIL, THUMBNAIL);
}

/** @param {Face} face @param {About} about */
function bars(face, about) {
  const order = about.labels.map((_, k) => k).sort((a, b) => face.scores[b] - face.scores[a]);
  const body = make('tbody');
  for (const k of order) {
    body.append(bar(about.labels[k], face.scores[k], colour(about.colours[about.labels[k]])));
  }
  const table = make('table', { class: 'bars' }, make('caption', { class: 'hidden' }, 'Scores'), body);
  if (face.intensity !== null) {
    table.append(make('tfoot', {}, bar('intensity', face.intensity, 'var(--ink)')));
  }
  return table;
}

/** @param {string} name @param {number} fraction @param {string} ink */
function bar(name, fraction, ink) {
  const fill = make('span');
  paintBar(fill, fraction, ink);
  return make(
    'tr',
    {},
    make('th', { scope: 'row' }, name),
    make('td', { class: 'bar', 'aria-hidden': 'true' }, make('span', { class: 'track' }, fill)),
    make('td', { class: 'share' }, percent(fraction)),
  );
}

/** @param {HTMLElement} bar @param {number} fraction @param {string} ink */
function paintBar(bar, fraction, ink) {
  bar.style.width = `${100 * fraction}%`;
  bar.style.background = ink;
}

/**
 * Make a button that shows which parts of the face counted. It stays, so that focus stays with it.
 * @param {Face} face
 * @param {Uint8Array} crop
 * @param {About} about
 * @param {Engine} engine
 */
function whyOf(face, crop, about, engine) {
  const best = highest(face.scores);
  const label = about.labels[best];
  const button = make('button', { type: 'button', class: 'small' }, `Why ${label}? Show a heat map`);
  const shown = make('div', { class: 'shown' });
  const words = make('p', { class: 'note', role: 'status' });
  let begun = false;
  button.addEventListener('click', async () => {
    if (begun) {
      if (!button.hasAttribute('aria-disabled')) showHeat(shown.hidden === true);
      return;
    }
    begun = true;
    button.setAttribute('aria-disabled', 'true');
    const progress = make('progress', { max: '1', value: '0', 'aria-label': 'heat map' });
    shown.replaceChildren(progress);
    words.textContent = 'Hiding the face part by part …';
    try {
      const heat = await engine.explain(crop, best, (done) => (progress.value = done));
      const canvas = make('canvas', { class: 'heat', role: 'img', 'aria-label': `heat map of ${label}` });
      drawHeat(canvas, crop, heat, about.input);
      shown.replaceChildren(canvas, words);
      const most = percent(Math.max(...heat, 0));
      words.textContent = `Brighter: hiding that part costs ${label} more of its score, up to ${most}.`;
      showHeat(true);
    } catch (error) {
      begun = false;
      progress.remove();
      words.textContent = `The heat map failed: ${error instanceof Error ? error.message : error}`;
    }
    button.removeAttribute('aria-disabled');
  });
  const showHeat = (/** @type {boolean} */ on) => {
    shown.hidden = !on;
    button.textContent = on ? 'Hide the heat map' : `Why ${label}? Show a heat map`;
  };
  shown.append(words);
  return [button, shown];
}
