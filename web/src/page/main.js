// Wires the page together.

import { csv } from '../engine/table.js';
import { button, byId, element, save } from './dom.js';
import { lacking } from './engine.js';
import { consent, frames, startCamera, stopCamera } from './live.js';
import { about } from './networks.js';
import { current, read, rows } from './pictures.js';
import { cards, redraw, savePicture } from './stage.js';
import { listen } from './unsure.js';
import { offerSamples, takeFiles } from './ways.js';

/** @type {import('./ways.js').Take} */
function take(pictures) {
  if (!pictures.length) return;
  stopCamera();
  return read(pictures);
}

takeFiles(take);
offerSamples(take);

button('camera').addEventListener('click', () => {
  consent(Boolean(element('consent').hidden));
  if (!element('consent').hidden) element('consent').focus();
});
button('cancel').addEventListener('click', () => {
  consent(false);
  button('camera').focus();
});
button('start').addEventListener('click', startCamera);
button('stop').addEventListener('click', () => {
  stopCamera();
  button('camera').focus();
});

listen(() => {
  redraw();
  cards();
});
window.addEventListener('resize', redraw);

button('csv').addEventListener('click', () => {
  if (!about) return;
  const pictures = rows();
  const table = csv(pictures.length ? pictures : frames(), about);
  save(new Blob([table], { type: 'text/csv;charset=utf-8' }), 'expressions.csv');
});
button('png').addEventListener('click', () => savePicture(current?.name ?? 'camera'));

const lack = lacking();
if (lack) {
  element('lacking').textContent = lack;
  element('lacking').hidden = false;
  for (const one of document.querySelectorAll('#ways button')) one.setAttribute('disabled', '');
  byId('files', HTMLInputElement).disabled = true;
}
