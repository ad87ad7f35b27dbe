// Wires the page together.

import { PictureError } from '../engine/header.js';
import { upright } from '../engine/pictures.js';
import { csv } from '../engine/table.js';
import { Camera, cameraWords } from './camera.js';
import { byId, make, save } from './dom.js';
import { colour, draw, named } from './draw.js';
import { Engine, lacking } from './engine.js';
import { addWhy, card } from './faces.js';
import { Timeline } from './timeline.js';

/** @import {About, Result} from '../engine/types.js' */
/** @import {Seen} from './engine.js' */

const SAMPLES = ['happiness', 'sadness', 'surprise', 'neutral', 'together'];
const LONGEST = 2048;
const SHORTEST = 480;
const LARGEST_SAVED = 16_000_000;
const MOST_FRAMES = 20_000;
const SPOKEN_EVERY = 5;
const LISTED_EVERY = 0.25;

/**
 * A picture that was chosen.
 * @typedef {{name: string, file: Blob, seen: Seen | null, error: string | null}} Entry
 */

const engine = new Engine();
const camera = new Camera(engine);
/** @type {About | null} */
let about = null;
/** @type {Entry[]} */
let entries = [];
/** @type {Entry | null} */
let current = null;
/** @type {Result[]} frames of the camera, for the table */
let log = [];
/** @type {{picture: ImageBitmap, result: Result, mirrored: boolean} | null} what is on the stage */
let stage = null;
let turn = 0;

const element = (/** @type {string} */ id) => byId(id, HTMLElement);
const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);
const canvas = byId('picture', HTMLCanvasElement);
const files = byId('files', HTMLInputElement);
const abstain = byId('abstain', HTMLInputElement);
const least = byId('least', HTMLInputElement);
const bar = byId('progress', HTMLProgressElement);

/** @param {string} text */
const say = (text) => {
  if (element('status').textContent !== text) element('status').textContent = text;
};

/** @param {unknown} error */
const words = (error) => (error instanceof Error ? error.message : String(error));

/** Load the networks, showing how far it is. */
async function opened() {
  if (about) return about;
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
  const { label_set: set, labels } = about;
  element('about').textContent = `Names as raters of ${set === 'ferplus' ? 'FER+' : set} gave them: ${labels.join(', ')}.`;
  return about;
}

/**
 * Read pictures, and show them.
 * @param {{name: string, file: Blob}[]} pictures
 */
async function read(pictures) {
  if (!pictures.length) return;
  stopCamera();
  const mine = ++turn;
  entries = pictures.map((picture) => ({ ...picture, seen: null, error: null }));
  current = null;
  try {
    await opened();
    for (const [place, entry] of entries.entries()) {
      say(pictures.length > 1 ? `Reading ${place + 1} of ${pictures.length} …` : 'Reading …');
      await readOne(entry);
      if (mine !== turn) return;
      list();
      if (!current) await show(entry);
    }
    say(summary(entries));
  } catch (error) {
    if (mine === turn) say(`The networks could not be loaded: ${words(error)}`);
  }
}

/** @param {Entry} entry */
async function readOne(entry) {
  try {
    entry.seen = await engine.picture(entry.file, entry.name);
  } catch (error) {
    entry.error = error instanceof PictureError ? error.message : `it failed: ${words(error)}`;
  }
}

/** @param {Entry[]} all */
function summary(all) {
  const lost = all.filter((entry) => entry.error);
  const results = all.flatMap((entry) => (entry.seen ? [flagged(entry.seen.result)] : []));
  if (all.length === 1) {
    if (lost.length) return `${all[0].name}: ${lost[0].error}`;
    const [{ faces, skipped, notes }] = results;
    const names = faces.map((face) => named(face, /** @type {About} */ (about).labels));
    const found = names.length ? `${counted(names.length)}: ${names.join(', ')}` : 'No face found';
    const small = skipped ? `; ${counted(skipped)} too small to read` : '';
    return `${found}${small}${notes.length ? `; ${notes.join('; ')}` : ''}.`;
  }
  const faces = results.reduce((sum, result) => sum + result.faces.length, 0);
  const unread = lost.length ? ` ${lost.length} could not be read.` : '';
  return `${counted(faces)} in ${results.length} pictures.${unread}`;
}

/** @param {number} count */
const counted = (count) => (count === 1 ? '1 face' : `${count} faces`);

/** Return a result with the faces flagged that are below the least score. @param {Result} result */
function flagged(result) {
  const below = abstain.checked ? Number(least.value) / 100 : 0;
  const faces = result.faces.map((face) => {
    const flags = face.flags.filter((flag) => flag !== 'unsure');
    return { ...face, flags: Math.max(...face.scores) < below ? [...flags, 'unsure'] : flags };
  });
  return { ...result, faces };
}

/** Show one of the pictures. @param {Entry} entry */
async function show(entry) {
  current = entry;
  element('shown').hidden = false;
  element('live').hidden = true;
  element('stage-title').textContent = entry.name;
  list();
  element('faces').replaceChildren();
  if (!entry.seen) {
    canvas.hidden = true;
    button('png').disabled = true;
    say(`${entry.name}: ${entry.error ?? 'not read yet'}`);
    return;
  }
  const picture = await upright(entry.file);
  if (current !== entry) return;
  stage?.picture.close();
  stage = { picture, result: entry.seen.result, mirrored: false };
  canvas.hidden = false;
  button('png').disabled = false;
  redraw();
  cards();
}

/** Draw what is on the stage, in a size that can be read on this screen. */
function redraw() {
  if (!stage || !about) return;
  const { width, height } = stage.result;
  const longer = Math.max(width, height);
  const scale = Math.min(Math.max(SHORTEST / longer, 1), LONGEST / longer);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const text = (15 * canvas.width) / (canvas.clientWidth || canvas.width);
  const result = flagged(stage.result);
  draw(canvas, stage.picture, result, about, { text, mirrored: stage.mirrored });
  const names = result.faces.map((face) => named(face, /** @type {About} */ (about).labels));
  canvas.setAttribute('aria-label', names.length ? `picture with ${names.join(', ')}` : 'picture without a face');
}

/** Say beside the picture what was found. */
function cards() {
  if (!stage || !about) return;
  const known = about;
  const { faces, skipped } = flagged(stage.result);
  const items = faces.map((face, place) => {
    const item = card(face, place, known);
    const crop = current?.seen?.crops[place];
    if (crop) addWhy(item, face, crop, known, engine);
    return item;
  });
  if (!items.length) items.push(make('li', { class: 'note' }, 'No face found.'));
  if (skipped) items.push(make('li', { class: 'note' }, `${counted(skipped)} too small to read.`));
  element('faces').replaceChildren(...items);
}

/** List the pictures, where there are several. */
function list() {
  element('all').hidden = entries.length < 2;
  const items = entries.map((entry) => {
    const found = entry.seen ? counted(entry.seen.result.faces.length) : entry.error ? 'not read' : '…';
    const choice = make('button', { type: 'button', class: 'small' }, `${entry.name} (${found})`);
    if (entry === current) choice.setAttribute('aria-current', 'true');
    choice.disabled = !entry.seen && !entry.error;
    choice.addEventListener('click', async () => {
      const place = entries.indexOf(entry);
      await show(entry);
      if (entry.seen) say(summary([entry]));
      /** @type {HTMLButtonElement | null} */ (element('list').children[place]?.querySelector('button'))?.focus();
    });
    return make('li', {}, choice);
  });
  element('list').replaceChildren(...items);
}

async function startCamera() {
  const mine = ++turn;
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
    if (mine !== turn) return camera.stop();
    liveStage(known);
    await watch(known);
  } catch (error) {
    stopCamera();
    say(`The camera’s pictures could not be read: ${words(error)}`);
  }
}

/** Make room for the camera's pictures. @param {About} known */
function liveStage(known) {
  [entries, current, log] = [[], null, []];
  list();
  element('stage-title').textContent = 'Camera';
  for (const id of ['shown', 'live']) element(id).hidden = false;
  canvas.hidden = false;
  button('png').disabled = false;
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
    stage?.picture.close();
    stage = { picture, result, mirrored: true };
    redraw();
    const time = result.time ?? 0;
    if (time - listed >= LISTED_EVERY) {
      listed = time;
      cards();
    }
    // a screen reader need not hear every frame
    if (time - spoken >= SPOKEN_EVERY) {
      spoken = time;
      const words = timeline.summary();
      element('timeline').setAttribute('aria-label', `scores over time: ${words}`);
      say(`${summaryOf(result)} ${words}.`);
    }
  });
}

/** @param {Result} result */
function summaryOf(result) {
  const names = flagged(result).faces.map((face) => named(face, /** @type {About} */ (about).labels));
  return names.length ? `Now ${names.join(', ')};` : 'No face in view;';
}

function stopCamera() {
  const was = !element('live').hidden;
  camera.stop();
  turn++;
  element('live').hidden = true;
  if (was) say(`The camera is off. ${log.length} frames were read; save them as a table, or let them go.`);
}

/** Show or hide the consent line. @param {boolean} open */
function consent(open) {
  element('consent').hidden = !open;
  button('camera').setAttribute('aria-expanded', String(open));
}

/** @param {Iterable<File>} chosen */
const readFiles = (chosen) => read([...chosen].map((file) => ({ name: file.name, file })));

files.addEventListener('change', async () => {
  await readFiles(files.files ?? []);
  files.value = '';
});
document.addEventListener('paste', (event) => {
  const pasted = [...(event.clipboardData?.files ?? [])];
  if (pasted.length) readFiles(pasted);
});
for (const kind of ['dragenter', 'dragover']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.add('over');
  });
}
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.body.classList.remove('over');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('over');
  readFiles(event.dataTransfer?.files ?? []);
});

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

abstain.addEventListener('change', () => {
  least.disabled = !abstain.checked;
  redraw();
  cards();
});
least.addEventListener('input', () => {
  element('least-shown').textContent = `${least.value} %`;
  redraw();
  cards();
});

button('csv').addEventListener('click', () => {
  if (!about) return;
  /** @type {import('../engine/table.js').Entry[]} */
  const pictures = [];
  for (const { name, seen, error } of entries) {
    if (error) pictures.push({ source: name, error });
    else if (seen) pictures.push(flagged(seen.result));
  }
  const table = csv(pictures.length ? pictures : log.map(flagged), about);
  save(new Blob([table], { type: 'text/csv;charset=utf-8' }), 'expressions.csv');
});
button('png').addEventListener('click', () => {
  if (!stage || !about) return;
  const { width, height } = stage.result;
  const scale = Math.min(1, Math.sqrt(LARGEST_SAVED / (width * height)));
  const sheet = make('canvas', {
    width: String(Math.max(1, Math.floor(width * scale))),
    height: String(Math.max(1, Math.floor(height * scale))),
  });
  const text = Math.max(11, Math.sqrt(sheet.width * sheet.height) / 40);
  draw(sheet, stage.picture, flagged(stage.result), about, { text, mirrored: stage.mirrored });
  const name = (current?.name ?? 'camera').replace(/\.[^.]*$/, '');
  sheet.toBlob((content) => content && save(content, `${name}-expressions.png`), 'image/png');
});
window.addEventListener('resize', redraw);

for (const name of SAMPLES) {
  const file = `samples/${name}.png`;
  const alt = name === 'together' ? 'four drawn faces' : `drawn face: ${name}`;
  const choice = make('button', { type: 'button' }, make('img', { src: file, alt }));
  choice.addEventListener('click', async () => {
    try {
      const response = await fetch(file);
      if (!response.ok) throw new Error(`the server answers ${response.status}`);
      await read([{ name: `${name}.png`, file: await response.blob() }]);
    } catch (error) {
      say(`The drawn face could not be loaded: ${words(error)}`);
    }
  });
  element('samples').querySelector('ul')?.append(make('li', {}, choice));
}

const lack = lacking();
if (lack) {
  element('lacking').textContent = lack;
  element('lacking').hidden = false;
  for (const one of document.querySelectorAll('#ways button')) one.setAttribute('disabled', '');
  files.disabled = true;
}
