// Pictures that were chosen: read one after another, listed, and one of them shown.

import { PictureError } from '../engine/header.js';
import { upright } from '../engine/pictures.js';
import { element, make } from './dom.js';
import { named } from './draw.js';
import { about, engine, opened } from './networks.js';
import { cards, clear, put } from './stage.js';
import { begin, counted, say, words } from './status.js';
import { flagged } from './unsure.js';

/** @import {About} from '../engine/types.js' */
/** @import {Entry as Row} from '../engine/table.js' */
/** @import {Seen} from './engine.js' */

/**
 * A picture that was chosen.
 * @typedef {{name: string, file: Blob, seen: Seen | null, error: string | null}} Entry
 */

/** @type {Entry[]} */
let entries = [];
/** @type {Entry | null} the one that is shown */
export let current = null;

/**
 * Read pictures, and show them.
 * @param {{name: string, file: Blob}[]} chosen
 */
export async function read(chosen) {
  const latest = begin();
  entries = chosen.map((picture) => ({ ...picture, seen: null, error: null }));
  current = null;
  try {
    await opened();
    for (const [place, entry] of entries.entries()) {
      say(chosen.length > 1 ? `Reading ${place + 1} of ${chosen.length} …` : 'Reading …');
      await readOne(entry);
      if (!latest()) return;
      list();
      if (!current) await show(entry);
    }
    say(summary(entries));
  } catch (error) {
    if (latest()) say(`The networks could not be loaded: ${words(error)}`);
  }
}

/** Forget all pictures. */
export function forget() {
  [entries, current] = [[], null];
  list();
}

/** Return what is known of the pictures, for a table. */
export function rows() {
  /** @type {Row[]} */
  const known = [];
  for (const { name, seen, error } of entries) {
    if (error) known.push({ source: name, error });
    else if (seen) known.push(flagged(seen.result));
  }
  return known;
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

/** Show one of the pictures. @param {Entry} entry */
async function show(entry) {
  current = entry;
  element('shown').hidden = false;
  element('live').hidden = true;
  element('stage-title').textContent = entry.name;
  list();
  clear(Boolean(entry.seen));
  if (!entry.seen) {
    say(`${entry.name}: ${entry.error ?? 'not read yet'}`);
    return;
  }
  const { result, crops } = entry.seen;
  const picture = await upright(entry.file);
  if (current !== entry) return picture.close();
  put({ picture, result, crops, mirrored: false });
  cards();
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
