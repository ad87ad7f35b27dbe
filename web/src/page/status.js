// What the page says of what it does, and which of what was begun still counts.

import { element } from './dom.js';

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
export function say(text) {
  // the same words again would be read out again
  if (element('status').textContent !== text) element('status').textContent = text;
}

/** @param {unknown} error */
export const words = (error) => (error instanceof Error ? error.message : String(error));

/** @param {number} count */
export const counted = (count) => (count === 1 ? '1 face' : `${count} faces`);
