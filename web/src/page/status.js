// What the page reports about its work, and which of what was begun still counts.

import { element } from './dom.js';
import { isUncertain, isUnsure } from './draw.js';
import { highest } from '../engine/table.js';

/** @import {About, Face} from '../engine/types.js' */

let turn = 0;

/**
 * Begin something that takes the place of what was going on.
 * @returns {() => boolean} whether nothing else was begun since
 */
export function begin() {
  const mine = ++turn;
  return () => mine === turn;
}

/** @param {string} text */
export function showStatus(text) {
  // the same words again would be read out again
  if (element('status').textContent !== text) element('status').textContent = text;
}

/** Tell those who do not see the page, and nobody else. @param {string} text */
export function announce(text) {
  element('spoken').textContent = text;
}

/** @param {unknown} error */
export const words = (error) => (error instanceof Error ? error.message : String(error));

/** @param {number} count @param {string} what one of them */
export const many = (count, what) => `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

/** @param {number} count */
export const counted = (count) => many(count, 'face');

/**
 * Count the emotions of faces, the most frequent first; uncertain faces do not count.
 * @param {Face[]} faces
 * @param {About} about
 * @returns {string} such as "3 faces: 2 happiness, 1 neutral; 1 uncertain, not counted"
 */
export function countedEmotions(faces, { labels }) {
  const certain = faces.filter((face) => !isUncertain(face));
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const face of certain) {
    const name = isUnsure(face) ? 'unsure' : labels[highest(face.scores)];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${count} ${name}`);
  const found = certain.length ? `${counted(certain.length)}: ${parts.join(', ')}` : 'No face found';
  return `${found}${uncertainWords(faces)}`;
}

/** @param {Face[]} faces */
export function uncertainWords(faces) {
  const count = faces.filter(isUncertain).length;
  return count ? `; ${count} uncertain, not counted` : '';
}
