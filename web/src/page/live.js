// The camera on the page: from consent to its last frame, and what stays afterwards.

import { Camera, cameraChoices, describeCameraError } from './camera.js';
import { button, byId, element, make } from './dom.js';
import { beginTimeline, endTimeline } from './film.js';
import { engine, opened } from './networks.js';
import { forget } from './files.js';
import { cards, clear, put } from './stage.js';
import { begin, countedEmotions, many, showStatus, announce, words } from './status.js';
import { flagUnsure } from './abstain.js';

/** @import {About, Result} from '../engine/types.js' */

const MOST_FRAMES = 20_000;
const SPOKEN_EVERY = 5;
const LISTED_EVERY = 0.25;

const camera = new Camera(engine);
const selects = ['which', 'device'].map((id) => byId(id, HTMLSelectElement));
/** @type {Result[]} */
let log = [];
let isOn = false;

/** Return what was found in the frames, for a table. */
export const frames = () => log.map(flagUnsure);

/** Show or hide the consent panel. @param {boolean} open */
export function consent(open) {
  element('consent').hidden = !open;
  button('camera').setAttribute('aria-expanded', String(open));
  if (open) offerCameras();
}

/** Offer the cameras that there are. */
async function offerCameras() {
  const choices = await cameraChoices();
  for (const select of selects) {
    const chosen = select.value;
    select.replaceChildren(...choices.map(({ value, name }) => make('option', { value }, name)));
    if (choices.some(({ value }) => value === chosen)) select.value = chosen;
  }
}

for (const select of selects) {
  select.addEventListener('change', () => {
    for (const other of selects) other.value = select.value;
    if (isOn) startCamera();
  });
}

export async function startCamera() {
  const latest = begin();
  button('start').disabled = true;
  try {
    await camera.start(selects[0].value || 'user', () => {
      stopCamera();
      showStatus('The camera was switched off.');
    });
  } catch (error) {
    stopCamera();
    showStatus(describeCameraError(error));
    return;
  } finally {
    button('start').disabled = false;
  }
  const isRestart = isOn;
  isOn = true;
  consent(false);
  offerCameras();
  try {
    const known = await opened(latest);
    if (!latest()) return isOn ? undefined : camera.stop();
    makeRoom(known, isRestart);
    await watch(known);
  } catch (error) {
    stopCamera();
    showStatus(`The camera’s images could not be read: ${words(error)}`);
  }
}

/** Stop the camera; its last image, its time line and its table stay. */
export function stopCamera() {
  camera.stop();
  if (!isOn) return;
  isOn = false;
  begin();
  showControls();
  if (!log.length) return discardFrames();
  showStatus(`The camera is off. ${many(log.length, 'frame')} were read. Save them as a table, or discard them.`);
}

/** Forget what the camera showed. */
export function discardFrames() {
  log = [];
  clear();
  endTimeline();
  element('shown').hidden = true;
  showStatus(isOn ? '' : 'The camera is off. Its frames were discarded.');
}

/** Stop the camera and forget its frames, since something else is to be shown. */
export function leaveCamera() {
  camera.stop();
  [isOn, log] = [false, []];
  element('live').hidden = true;
  endTimeline();
}

function showControls() {
  element('live').hidden = false;
  for (const id of ['stop', 'device-choice', 'rate']) element(id).hidden = !isOn;
  element('discard').hidden = isOn;
}

/** Make room for the camera's images. @param {About} known @param {boolean} isRestart */
function makeRoom(known, isRestart) {
  forget();
  log = [];
  element('stage-title').textContent = 'Camera';
  element('shown').hidden = false;
  showControls();
  clear(true);
  if (!isRestart) button('stop').focus();
  beginTimeline(known, 'Scores of the largest face over the last half minute');
  showStatus('The camera is on. Nothing of it is sent or stored.');
}

/** @param {About} known */
async function watch(known) {
  const timeline = beginTimeline(known, 'Scores of the largest face over the last half minute');
  let spoken = 0;
  let listed = -1;
  await camera.run((image, result, rate) => {
    log.push(result);
    if (log.length > MOST_FRAMES) log.shift();
    timeline.add(result);
    element('rate').textContent = `${rate.toFixed(1)} frames/s`;
    element('rate').dataset.frames = String((result.frame ?? 0) + 1);
    put({ image, result, crops: [], mirrored: camera.isMirrored, moving: true });
    const time = result.time ?? 0;
    if (time - listed >= LISTED_EVERY) {
      listed = time;
      cards();
    }
    // a screen reader need not hear every frame; for those who see, box and list say it
    if (time - spoken >= SPOKEN_EVERY) {
      spoken = time;
      const lately = `${timeline.summary()} in the last half minute`;
      element('timeline').setAttribute('aria-label', `scores over time: ${lately}`);
      announce(`Now ${countedEmotions(flagUnsure(result).faces, known)}. ${lately}.`);
    }
  });
}
