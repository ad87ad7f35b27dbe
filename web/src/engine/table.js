// Results as a CSV table, as src/emotion_detection/inference/table_files.py writes it: the same columns,
// the same roundings, no cell that a spreadsheet would take for a formula.

/** @import {About, Face, Result} from './types.js' */

/** @typedef {string | number | null} Cell */

const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const WHOLE = new Set(['frame', 'faces', 'skipped', 'face', 'track', 'uncertain_face']);

/**
 * What was read: a result, or a file that could not be read.
 * @typedef {Result | {source: string, error: string}} Entry
 */

/**
 * @param {Entry[]} entries
 * @param {About} about
 */
export function csv(entries, about) {
  const lines = entries.flatMap((entry) => rows(entry, about)).map((row) =>
    about.columns.map((name) => text(name, row[name] ?? null)),
  );
  return [about.columns, ...lines].map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('');
}

/** @param {Entry} entry @param {About} about @returns {Record<string, Cell>[]} */
function rows(entry, about) {
  if ('error' in entry) return [{ file: entry.source, error: entry.error }];
  const { source, frame, time, faces, skipped, notes } = entry;
  const at = time === null ? null : rounded(time, 4);
  const all = { file: source, frame, time: at, faces: faces.length, skipped };
  const note = notes.join('; ') || null;
  if (!faces.length) return [{ ...all, notes: note }];
  return faces.map((face, place) => ({ ...all, notes: note, ...faceRow(face, place, about) }));
}

/** @param {Face} face @param {number} place @param {About} about @returns {Record<string, Cell>} */
function faceRow(face, place, { labels, landmarks }) {
  /** @type {Record<string, Cell>} */
  const row = { face: place + 1, track: face.track };
  ['x', 'y', 'width', 'height'].forEach((name, k) => (row[name] = rounded(face.box[k], 2)));
  row.confidence = clampFraction(face.confidence);
  row.uncertain_face = face.flags.includes('uncertain_face') ? 1 : 0;
  row.emotion = labels[highest(face.scores)];
  row.intensity = face.intensity === null ? null : clampFraction(face.intensity);
  labels.forEach((label, k) => (row[`score_${label}`] = clampFraction(face.scores[k])));
  landmarks.forEach((name, k) => {
    row[`${name}_x`] = rounded(face.landmarks[k][0], 2);
    row[`${name}_y`] = rounded(face.landmarks[k][1], 2);
  });
  row.flags = face.flags.join(' ') || null;
  return row;
}

/** Return the place of the highest score; of equal ones the first. @param {number[]} scores */
export function highest(scores) {
  return scores.reduce((best, score, k) => (score > scores[best] ? k : best), 0);
}

/** @param {number} value @param {number} digits */
const rounded = (value, digits) => Number(value.toFixed(digits));

/** @param {number} value */
const clampFraction = (value) => rounded(Math.min(Math.max(value, 0), 1), 4);

/** @param {string} name @param {Cell} value */
function text(name, value) {
  if (value === null) return '';
  if (typeof value === 'number') {
    return Number.isInteger(value) && !WHOLE.has(name) ? value.toFixed(1) : String(value);
  }
  return FORMULA.test(value) ? `'${value}` : value;
}

/** @param {string} cell */
const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
