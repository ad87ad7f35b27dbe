// The networks, loaded with the first picture.

import { byId, element } from './dom.js';
import { Engine } from './engine.js';
import { say } from './status.js';
import { abstainBelow } from './unsure.js';

/** @import {About} from '../engine/types.js' */

export const engine = new Engine();
/** @type {About | null} what is known of them, once they are loaded */
export let about = null;

/** Load them, showing how far it is. */
export async function opened() {
  if (about) return about;
  const bar = byId('progress', HTMLProgressElement);
  element('busy').hidden = false;
  bar.removeAttribute('value');
  say('Loading the networks, once …');
  try {
    about = await engine.open((done, total) => {
      bar.value = done / total;
      say(`Loading the networks, once: ${(total / 1e6).toFixed(0)} MB …`);
    });
  } finally {
    element('busy').hidden = true;
  }
  const { label_set: set, labels, thresholds } = about;
  element('about').textContent = `Names as raters of ${set === 'ferplus' ? 'FER+' : set} gave them: ${labels.join(', ')}.`;
  if (thresholds.least_score > 0) abstainBelow(thresholds.least_score);
  return about;
}
