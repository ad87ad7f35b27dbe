// What is said of each face beside the picture: name, bars, intensity, and why on demand.

import { highest } from '../engine/table.js';
import { colour, isUnsure, named, percent } from './draw.js';
import { make } from './dom.js';
import { drawHeat } from './heat.js';

/** @import {About, Face} from '../engine/types.js' */
/** @import {Engine} from './engine.js' */

/**
 * Return a face's card.
 * @param {Face} face
 * @param {number} place from 0
 * @param {About} about
 */
export function card(face, place, about) {
  const number = face.track ?? place + 1;
  const title = make('h3', {}, `Face ${number}: ${named(face, about.labels)}`);
  const item = make('li', { class: 'face' }, title);
  if (isUnsure(face)) {
    item.append(make('p', { class: 'note' }, 'No score is high enough to name an expression.'));
  }
  if (face.flags.includes('cut')) {
    item.append(make('p', { class: 'note' }, 'A part of this face lies beyond the picture.'));
  }
  item.append(bars(face, about));
  return item;
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

/** @param {string} name @param {number} share @param {string} ink */
function bar(name, share, ink) {
  const fill = make('span');
  fill.style.width = `${100 * share}%`;
  fill.style.background = ink;
  return make(
    'tr',
    {},
    make('th', { scope: 'row' }, name),
    make('td', { class: 'bar', 'aria-hidden': 'true' }, make('span', { class: 'track' }, fill)),
    make('td', { class: 'share' }, percent(share)),
  );
}

/**
 * Add a button to a card that shows which parts of the face counted.
 * @param {HTMLElement} item
 * @param {Face} face
 * @param {Uint8Array} crop
 * @param {About} about
 * @param {Engine} engine
 */
export function addWhy(item, face, crop, about, engine) {
  const best = highest(face.scores);
  const label = about.labels[best];
  const button = make('button', { type: 'button', class: 'small' }, `Why ${label}? Show a heat map`);
  item.append(button);
  button.addEventListener('click', async () => {
    const progress = make('progress', { max: '1', value: '0', 'aria-label': 'heat map' });
    const words = make('p', { class: 'note', role: 'status' }, 'Hiding the face part by part …');
    button.replaceWith(progress, words);
    try {
      const heat = await engine.explain(crop, best, (done) => (progress.value = done));
      const most = Math.max(...heat);
      const text = `Brighter: hiding that part costs ${label} more of its score, up to ${percent(Math.max(most, 0))}.`;
      const canvas = make('canvas', { class: 'heat', role: 'img', 'aria-label': `heat map of ${label}` });
      drawHeat(canvas, crop, heat, about.input);
      progress.replaceWith(canvas);
      words.textContent = text;
    } catch (error) {
      progress.remove();
      words.textContent = `The heat map failed: ${error instanceof Error ? error.message : error}`;
    }
  });
}
