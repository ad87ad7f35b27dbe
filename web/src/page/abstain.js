// The switch to name no expression where the best score is low.

import { byId, element } from './dom.js';

/** @import {Result} from '../engine/types.js' */

const abstain = byId('abstain', HTMLInputElement);
const slider = byId('least', HTMLInputElement);
let least = Number(slider.value) / 100;

/** Switch it on, at some score. @param {number} score 0 to 1 */
export function abstainBelow(score) {
  abstain.checked = true;
  slider.disabled = false;
  slider.value = String(100 * score);
  showScore(score);
}

/** @param {() => void} changed called when other faces are unsure than before */
export function onAbstainChange(changed) {
  abstain.addEventListener('change', () => {
    slider.disabled = !abstain.checked;
    changed();
  });
  slider.addEventListener('input', () => {
    showScore(Number(slider.value) / 100);
    changed();
  });
}

/** @param {number} score */
function showScore(score) {
  // kept beside the slider, which has whole steps alone
  least = score;
  const text = `${Number((100 * score).toFixed(1))} %`;
  element('least-shown').textContent = text;
  slider.setAttribute('aria-valuetext', text);
}

/** Return a result with the faces flagged that are below the minimum score. @param {Result} result */
export function flagUnsure(result) {
  const below = abstain.checked ? least : 0;
  const faces = result.faces.map((face) => {
    const flags = face.flags.filter((flag) => flag !== 'unsure');
    return { ...face, flags: Math.max(...face.scores) < below ? [...flags, 'unsure'] : flags };
  });
  return { ...result, faces };
}
