// Files that were chosen, images and videos: read one after another, listed, and one of them shown.

import { ImageError } from '../engine/header.js';
import { decodeUpright } from '../engine/decoding.js';
import { element, make } from './dom.js';
import { isUncertain, named } from './draw.js';
import { endTimeline, beginTimeline, offerMoments } from './film.js';
import { about, engine, opened, showProgress } from './networks.js';
import { cards, clear, put } from './stage.js';
import { begin, counted, countedEmotions, many, showStatus, uncertainWords, words } from './status.js';
import { flagUnsure } from './abstain.js';
import { isVideo, detectVideo, VideoFile } from './video.js';

/** @import {About, Result} from '../engine/types.js' */
/** @import {Entry as Row} from '../engine/table.js' */
/** @import {Detected} from './engine.js' */
/** @import {Timeline} from './timeline.js' */

/**
 * A file that was chosen, its line in the list, and what was found in it.
 * @typedef {object} Entry
 * @property {string} name
 * @property {File | Blob} file
 * @property {Detected | null} detected an image's
 * @property {Result[]} frames a video's frames, as far as they are read
 * @property {string | null} error
 * @property {{choice: HTMLButtonElement, words: HTMLElement, thumbnail: HTMLCanvasElement}} line
 */

/** @type {Entry[]} */
let entries = [];
/** @type {Entry | null} the one that is shown */
export let current = null;
/** @type {Entry[]} those that the status is about */
let reported = [];
/** @type {VideoFile | null} the one that is open */
let video = null;

/**
 * Read files, and show the first that can be read.
 * @param {{name: string, file: Blob}[]} chosen
 */
export async function processFiles(chosen) {
  const latest = begin();
  forget();
  entries = chosen.map((one) => ({ ...one, detected: null, frames: [], error: null, line: lineOf(one.name) }));
  list();
  try {
    await opened(latest);
    if (!latest()) return;
    for (const [place, entry] of entries.entries()) {
      showStatus(entries.length > 1 ? `Reading ${place + 1} of ${entries.length}: ${entry.name} …` : 'Reading …');
      showProgress(entries.length > 1 || isVideo(entry) ? place / entries.length : null, true);
      await processFile(entry, latest, (fraction) => showProgress((place + fraction) / entries.length, true));
      if (!latest()) return;
      describe(entry);
      if (!current && !entry.error) await show(entry);
    }
    if (!latest()) return;
    finish();
  } catch (error) {
    if (!latest()) return;
    showProgress(null, false);
    showStatus(`The networks could not be loaded: ${words(error)}`);
  }
}

/** Stop reading; what was read so far stays. */
export function cancel() {
  begin();
  const left = entries.filter((entry) => !isDone(entry));
  for (const entry of left) entry.error = 'not read: cancelled';
  for (const entry of left) describe(entry);
  finish();
  if (current?.frames.length) show(current);
}

/** End the reading of files, and report it. */
function finish() {
  const cancel = element('cancel-reading');
  const hadFocus = document.activeElement === cancel;
  showProgress(null, false);
  if (hadFocus) element('status').focus();
  if (!current && entries.length > 1) showNothing();
  report(entries);
}

/** @param {Entry} entry */
const isDone = (entry) => entry.detected !== null || entry.frames.length > 0 || entry.error !== null;

/** Report again, since what is called unsure has changed. */
export function reportAgain() {
  if (reported.length && reported.every(isDone)) report(reported);
}

/** @param {Entry[]} about */
function report(about) {
  reported = about;
  showStatus(about.length ? summary(about) : 'Cancelled.');
}

/** Forget all files. */
export function forget() {
  closeVideo();
  [entries, current, reported] = [[], null, []];
  showProgress(null, false);
  list();
}

function closeVideo() {
  video?.close();
  video = null;
}

/** Return what is known of the files, for a table. */
export function rows() {
  /** @type {Row[]} */
  const known = [];
  for (const { name, detected, frames, error } of entries) {
    if (error) known.push({ source: name, error });
    else if (detected) known.push(flagUnsure(detected.result));
    else known.push(...frames.map(flagUnsure));
  }
  return known;
}

/**
 * @param {Entry} entry
 * @param {() => boolean} latest
 * @param {(fraction: number) => void} progress
 */
async function processFile(entry, latest, progress) {
  try {
    if (isVideo(entry)) await processVideo(entry, latest, progress);
    else {
      entry.detected = await engine.detectImage(entry.file, entry.name);
      drawThumbnail(entry, entry.detected.thumbnail);
      entry.detected.thumbnail.close();
    }
  } catch (error) {
    entry.error = error instanceof ImageError ? error.message : `it failed: ${words(error)}`;
    entry.frames = [];
  }
}

/**
 * Read a video, showing each frame where nothing else is shown.
 * @param {Entry} entry
 * @param {() => boolean} latest
 * @param {(fraction: number) => void} progress
 */
async function processVideo(entry, latest, progress) {
  const known = /** @type {About} */ (about);
  const opening = new VideoFile();
  await opening.open(entry.file, entry.name);
  const isShown = !current || entries.length === 1;
  const timeline = isShown ? showVideo(entry, known) : null;
  try {
    await detectVideo(opening, entry.name, engine, (image, result, fraction) => {
      if (!latest()) {
        image.close();
        return false;
      }
      entry.frames.push(result);
      if (entry.frames.length === 1) drawThumbnail(entry, image);
      progress(fraction);
      if (!timeline || current !== entry) image.close();
      else {
        put({ image, result, crops: [], mirrored: false, moving: true });
        cards();
        timeline.show(entry.frames, opening.duration);
      }
      return true;
    });
  } finally {
    opening.close();
    if (current === entry && latest()) current = null; // shown again, with its moments
  }
}

/** @param {Entry} entry @param {About} known @returns {Timeline} */
function showVideo(entry, known) {
  current = entry;
  makeRoom(entry);
  clear(true);
  return beginTimeline(known, 'Scores of the largest face');
}

/** @param {Entry[]} all */
function summary(all) {
  const known = /** @type {About} */ (about);
  const lost = all.filter((entry) => entry.error);
  const videos = all.filter((entry) => entry.frames.length && !entry.error);
  if (all.length === 1) {
    if (lost.length) return `${all[0].name}: ${lost[0].error}`;
    return videos.length ? `${describeVideo(videos[0])}.` : `${describeImage(all[0], known)}.`;
  }
  const results = all.flatMap((entry) => (entry.detected && !entry.error ? [flagUnsure(entry.detected.result)] : []));
  const faces = results.flatMap((result) => result.faces);
  const parts = [];
  if (results.length) parts.push(`${countedIn(faces, results.length, known)}.`);
  for (const one of videos) parts.push(`${one.name}: ${describeVideo(one)}.`);
  if (lost.length) parts.push(`${many(lost.length, 'file')} could not be read: ${namesOf(lost)}.`);
  return parts.join(' ');
}

/** Name files, the first of them. @param {Entry[]} some */
function namesOf(some) {
  const first = some.slice(0, 3).map(({ name }) => name);
  return some.length > 3 ? `${first.join(', ')} and ${some.length - 3} more` : first.join(', ');
}

/** @param {Result['faces']} faces @param {number} images @param {About} known */
function countedIn(faces, images, known) {
  const certain = faces.filter((face) => !isUncertain(face));
  const emotions = countedEmotions(faces, known).split(': ')[1];
  return certain.length
    ? `${counted(certain.length)} in ${many(images, 'image')}: ${emotions}`
    : `No face found in ${many(images, 'image')}${uncertainWords(faces)}`;
}

/** @param {Entry} entry @param {About} known */
function describeImage({ detected }, known) {
  const { faces, skipped, notes } = flagUnsure(/** @type {Detected} */ (detected).result);
  const certain = faces.filter((face) => !isUncertain(face));
  const found =
    certain.length === 1
      ? `1 face: ${named(certain[0], known.labels)}${uncertainWords(faces)}`
      : countedEmotions(faces, known);
  // those of the model stand above all images
  const own = notes.filter((note) => !known.notes?.includes(note));
  return [found, ...(skipped ? [`${counted(skipped)} too small to read`] : []), ...own].join('; ');
}

/** @param {Entry} entry */
function describeVideo({ frames }) {
  const people = new Set(
    frames.flatMap(({ faces }) => faces.filter((face) => !isUncertain(face)).map(({ track }) => track)),
  );
  const found = people.size === 1 ? '1 person' : people.size ? `${people.size} persons` : 'no face';
  return `${found} in ${many(frames.length, 'frame')}`;
}

/** Show one of the files. @param {Entry} entry */
export async function show(entry) {
  current = entry;
  makeRoom(entry);
  clear(!entry.error);
  if (entry.frames.length) await showMoments(entry);
  else if (entry.detected) {
    endTimeline();
    const { result, crops, scale } = entry.detected;
    const shorter = scale > 1 ? Math.floor(Math.min(result.width, result.height) / scale) : 0;
    const image = await decodeUpright(entry.file, shorter);
    if (current !== entry) return image.close();
    put({ image, result, crops, mirrored: false, moving: false });
    cards();
  }
}

/**
 * Show a video that was read: its time line, and the frame of the moment that is chosen.
 * @param {Entry} entry
 */
async function showMoments(entry) {
  const known = /** @type {About} */ (about);
  const opening = new VideoFile();
  await opening.open(entry.file, entry.name);
  if (current !== entry) return opening.close();
  closeVideo();
  video = opening;
  beginTimeline(known, 'Scores of the largest face').show(entry.frames, opening.duration);
  let requested = 0;
  let busy = false;
  const showFrame = async () => {
    if (busy) return;
    busy = true;
    for (let done = -1; done !== requested && video === opening; ) {
      done = requested;
      const result = entry.frames[done];
      const image = await opening.frameAt(result.time ?? 0);
      if (video !== opening || current !== entry) image.close();
      else {
        put({ image, result, crops: [], mirrored: false, moving: true });
        cards();
      }
    }
    busy = false;
  };
  offerMoments(entry.frames, (place) => {
    requested = place;
    showFrame();
  });
  await showFrame();
}

/** @param {Entry} entry */
function makeRoom(entry) {
  closeVideo();
  element('shown').hidden = false;
  element('live').hidden = true;
  element('stage-title').textContent = entry.name;
  for (const one of entries) {
    if (one === current) one.line.choice.setAttribute('aria-current', 'true');
    else one.line.choice.removeAttribute('aria-current');
  }
}

/** Show the list alone: none of the files can be read. */
function showNothing() {
  clear();
  endTimeline();
  element('shown').hidden = false;
  element('live').hidden = true;
  element('stage-title').textContent = 'No file could be read';
}

/** Make a file's line in the list. @param {string} name */
function lineOf(name) {
  const thumbnail = make('canvas', { width: '48', height: '48', 'aria-hidden': 'true' });
  const words = make('span', { class: 'note' }, '…');
  const choice = make('button', { type: 'button' }, thumbnail, make('span', { class: 'name' }, name), words);
  choice.disabled = true;
  choice.addEventListener('click', () => choose(choice));
  return { choice, words, thumbnail };
}

/** @param {HTMLButtonElement} choice */
async function choose(choice) {
  const entry = entries.find(({ line }) => line.choice === choice);
  if (!entry) return;
  if (entry.error) return showStatus(`${entry.name}: ${entry.error}`);
  try {
    await show(entry);
    if (current === entry) report([entry]);
  } catch (error) {
    showStatus(`${entry.name}: ${words(error)}`);
  }
}

/** Write into a file's line what was found. @param {Entry} entry */
function describe({ detected, frames, error, line }) {
  const certain = detected?.result.faces.filter((face) => !isUncertain(face)).length ?? 0;
  line.words.textContent = error ? error : frames.length ? many(frames.length, 'frame') : counted(certain);
  line.choice.disabled = false;
  line.choice.classList.toggle('lost', error !== null);
}

/** @param {Entry} entry @param {ImageBitmap} image */
function drawThumbnail({ line: { thumbnail } }, image) {
  const fraction = thumbnail.height / image.height;
  thumbnail.width = Math.max(1, Math.min(Math.round(image.width * fraction), 2 * thumbnail.height));
  thumbnail.getContext('2d')?.drawImage(image, 0, 0, image.width * fraction, thumbnail.height);
}

/** List the files, where there are several. */
function list() {
  element('all').hidden = entries.length < 2;
  element('list').replaceChildren(...entries.map(({ line }) => make('li', {}, line.choice)));
}
