// Wires the page together.

import { csv } from '../engine/table.js';
import { button, byId, element, save } from './dom.js';
import { lacking } from './engine.js';
import { redrawTimeline } from './film.js';
import { consent, discardFrames, frames, leaveCamera, startCamera, stopCamera } from './live.js';
import { about } from './networks.js';
import { cancel, current, processFiles, rows, reportAgain } from './files.js';
import { cards, redraw, saveImage } from './stage.js';
import { onAbstainChange } from './abstain.js';
import { offerSamples, takeFiles } from './sources.js';

/** @type {import('./sources.js').Take} */
function take(files) {
  if (!files.length) return;
  leaveCamera();
  return processFiles(files);
}

takeFiles(take);
offerSamples(take);

function closeConsent() {
  consent(false);
  button('camera').focus();
}

button('camera').addEventListener('click', () => {
  consent(Boolean(element('consent').hidden));
  if (!element('consent').hidden) element('consent').focus();
});
button('cancel').addEventListener('click', closeConsent);
element('consent').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') closeConsent();
});
button('start').addEventListener('click', startCamera);
button('stop').addEventListener('click', () => {
  stopCamera();
  button('camera').focus();
});
button('discard').addEventListener('click', () => {
  discardFrames();
  button('camera').focus();
});
button('cancel-reading').addEventListener('click', () => {
  leaveCamera();
  cancel();
});

onAbstainChange(() => {
  redraw();
  cards();
  reportAgain();
});
window.addEventListener('resize', () => {
  redraw();
  redrawTimeline();
});

button('csv').addEventListener('click', () => {
  if (!about) return;
  const files = rows();
  const table = csv(files.length ? files : frames(), about);
  save(new Blob([table], { type: 'text/csv;charset=utf-8' }), 'expressions.csv');
});
button('png').addEventListener('click', () => saveImage(current?.name ?? 'camera'));

const lack = lacking();
if (lack) {
  element('lacking').textContent = lack;
  element('lacking').hidden = false;
  for (const one of document.querySelectorAll('#ways button')) one.setAttribute('disabled', '');
  byId('files', HTMLInputElement).disabled = true;
}
