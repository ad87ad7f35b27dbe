// What lies below the image of a camera or a video: the time line, and the moment that is shown.

import { byId, element } from './dom.js';
import { Timeline } from './timeline.js';

/** @import {About, Result} from '../engine/types.js' */

/** @type {Timeline | null} */
let timeline = null;

/**
 * Begin a time line.
 * @param {About} about
 * @param {string} title
 */
export function beginTimeline(about, title) {
  timeline = new Timeline(byId('timeline', HTMLCanvasElement), about);
  element('timeline-title').textContent = title;
  element('legend').replaceChildren(...timeline.legend());
  element('film').hidden = false;
  element('moments').hidden = true;
  timeline.draw();
  return timeline;
}

/** Hide the time line. */
export function endTimeline() {
  timeline = null;
  element('film').hidden = true;
}

/** Draw the time line anew, in the size that it has now. */
export const redrawTimeline = () => timeline?.draw();

/**
 * Offer the moments of a video.
 * @param {Result[]} results
 * @param {(place: number) => void} chosen
 */
export function offerMoments(results, chosen) {
  const slider = byId('moment', HTMLInputElement);
  slider.max = String(results.length - 1);
  element('moments').hidden = results.length < 2;
  slider.oninput = () => {
    nameMoment(results[Number(slider.value)]);
    chosen(Number(slider.value));
  };
  slider.value = '0';
  nameMoment(results[0]);
}

/** @param {Result} result */
function nameMoment({ time }) {
  const text = `${(time ?? 0).toFixed(1)} s`;
  element('moment-shown').textContent = text;
  element('moment').setAttribute('aria-valuetext', text);
  timeline?.mark(time ?? 0);
}
