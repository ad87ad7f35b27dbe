// The camera on the page: from consent to its last frame.

import { Camera, cameraWords } from './camera.js';
import { button, byId, element, make } from './dom.js';
import { colour, named } from './draw.js';
import { engine, opened } from './networks.js';
import { forget } from './pictures.js';
import { cards, clear, put } from './stage.js';
import { begin, say, words } from './status.js';
import { Timeline } from './timeline.js';
import { flagged } from './unsure.js';

/** @import {About, Result} from '../engine/types.js' */

const MOST_FRAMES = 20_000;
const SPOKEN_EVERY = 5;
const LISTED_EVERY = 0.25;

const camera = new Camera(engine);
/** @type {Result[]} */
let log = [];

/** Return what was found in the frames, for a table. */
export const frames = () => log.map(flagged);

/** Show or hide the consent line. @param {boolean} open */
export function consent(open) {
  element('consent').hidden = !open;
  button('camera').setAttribute('aria-expanded', String(open));
}

export async function startCamera() {
  const latest = begin();
  button('start').disabled = true;
  try {
    await camera.start(() => {
      stopCamera();
      say('The camera was switched off.');
    });
  } catch (error) {
    camera.stop();
    say(cameraWords(error));
    return;
  } finally {
    button('start').disabled = false;
  }
  consent(false);
  try {
    const known = await opened();
    if (!latest()) return camera.stop();
    makeRoom(known);
    await watch(known);
  } catch (error) {
    stopCamera();
    say(`The camera’s pictures could not be read: ${words(error)}`);
  }
}

export function stopCamera() {
  const was = !element('live').hidden;
  camera.stop();
  begin();
  element('live').hidden = true;
  if (was) say(`The camera is off. ${log.length} frames were read; save them as a table, or let them go.`);
}

/** Make room for the camera's pictures. @param {About} known */
function makeRoom(known) {
  forget();
  log = [];
  element('stage-title').textContent = 'Camera';
  for (const id of ['shown', 'live']) element(id).hidden = false;
  clear(true);
  button('stop').focus();
  const legend = known.labels.map((label) => {
    const spot = make('span', { 'aria-hidden': 'true' });
    spot.style.background = colour(known.colours[label]);
    return make('li', {}, spot, label);
  });
  element('legend').replaceChildren(...legend);
  say('The camera is on.');
}

/** @param {About} known */
async function watch(known) {
  const timeline = new Timeline(byId('timeline', HTMLCanvasElement), known);
  let spoken = 0;
  let listed = -1;
  await camera.run((picture, result, rate) => {
    log.push(result);
    if (log.length > MOST_FRAMES) log.shift();
    timeline.add(result);
    element('rate').textContent = `${rate.toFixed(1)} frames/s`;
    element('rate').dataset.frames = String((result.frame ?? 0) + 1);
    put({ picture, result, crops: [], mirrored: true });
    const time = result.time ?? 0;
    if (time - listed >= LISTED_EVERY) {
      listed = time;
      cards();
    }
    // a screen reader need not hear every frame
    if (time - spoken >= SPOKEN_EVERY) {
      spoken = time;
      const lately = timeline.summary();
      element('timeline').setAttribute('aria-label', `scores over time: ${lately}`);
      say(`${inView(result, known)} ${lately}.`);
    }
  });
}

/** @param {Result} result @param {About} known */
function inView(result, known) {
  const names = flagged(result).faces.map((face) => named(face, known.labels));
  return names.length ? `Now ${names.join(', ')};` : 'No face in view;';
}
