// The networks, loaded with the first image.

import { byId, element } from './dom.js';
import { Engine } from './engine.js';
import { showStatus } from './status.js';
import { abstainBelow } from './abstain.js';

/** @import {About} from '../engine/types.js' */

export const engine = new Engine();
/** @type {About | null} what is known of them, once they are loaded */
export let about = null;

/** Where the labels of the shipped model come from; other sets are named as they are. */
const ORIGINS = new Map([
  ['ferplus', 'FER+, photos of faces that ten people each named'],
  ['fer2013', 'FER-2013, photos of faces from the web'],
  ['demo', 'synthetic faces'],
]);

/**
 * Show how much of something is done.
 * @param {number | null} fraction 0 to 1; null: nobody knows
 * @param {boolean} busy whether there is anything to wait for
 */
export function showProgress(fraction, busy) {
  const bar = byId('progress', HTMLProgressElement);
  element('busy').hidden = !busy;
  if (fraction === null) bar.removeAttribute('value');
  else bar.value = fraction;
}

/**
 * Load them, showing how far it is.
 * @param {() => boolean} latest whether anybody still waits for it
 */
export async function opened(latest) {
  if (about) return about;
  showProgress(null, true);
  showStatus('Loading the networks, once …');
  try {
    about = await engine.open((done, total) => {
      if (!latest()) return;
      showProgress(done / total, true);
      showStatus(`Loading the networks, once: ${Math.round(total / 1e6)} MB …`);
    });
  } finally {
    if (latest()) showProgress(null, false);
  }
  const { label_set: set, labels, thresholds, notes = [] } = about;
  const names = `${labels.slice(0, -1).join(', ')} or ${labels[labels.length - 1]}`;
  element('about').textContent = `Each face is named ${names}. The model was trained on ${ORIGINS.get(set) ?? `the labels “${set}”`}.`;
  element('model-note').textContent = notes.map((note) => `Note: ${note}.`).join(' ');
  element('model-note').hidden = !notes.length;
  if (thresholds.least_score > 0) abstainBelow(thresholds.least_score);
  return about;
}
