// Boxes and labels over an image: the colours are those of annotate.py, the labels are plainer, and none
// lies over a face.

import { UNCERTAIN_FACE } from '../engine/settings.js';
import { highest } from '../engine/table.js';
import { layout, PAD } from './places.js';

/** @import {About, Area, Face, Result} from '../engine/types.js' */

const PLATE = 'rgb(22 24 28 / 85%)';
const EDGE = 'rgb(22 24 28)';
const LIGHT = 'rgb(255 255 255)';
const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
/** Faces up to which labels may hold words: more words than these nobody reads in an image. */
const MOST_WITH_WORDS = 8;
/** Height of the strip below an image whose labels find no room in it, by their text. */
const STRIP = 1.8;

/** @param {[number, number, number]} rgb */
export const colour = (rgb) => `rgb(${rgb.join(' ')})`;

/** @param {number} fraction */
export const percent = (fraction) => `${Math.round(100 * fraction)}\u00a0%`;

/** @param {Face} face */
export const isUnsure = (face) => face.flags.includes('unsure');

/** @param {Face} face */
export const isUncertain = (face) => face.flags.includes(UNCERTAIN_FACE);

/**
 * Return the number of a face, from 1: that of the person in a video, else its place in the image.
 * @param {Face} face
 * @param {number} place from 0
 */
export const numberOf = (face, place) => face.track ?? place + 1;

/**
 * Return a face's emotion and score in words.
 * @param {Face} face
 * @param {string[]} labels
 */
export function named(face, labels) {
  return `${nameOf(face, labels)} ${percent(Math.max(...face.scores))}`;
}

/** @param {Face} face @param {string[]} labels */
export function nameOf(face, labels) {
  const label = labels[highest(face.scores)];
  return isUnsure(face) ? `unsure: ${label}?` : label;
}

/**
 * @typedef {object} Options
 * @property {number} text its size in pixels of the canvas
 * @property {boolean} [mirrored]
 * @property {number | null} [lit] number of the face that is pointed out
 * @property {boolean} [strip] whether the canvas may grow below, where labels find no room else
 */

/**
 * Draw an image and what was found in it.
 * @param {HTMLCanvasElement} canvas its size is that of the image; with a strip it grows
 * @param {CanvasImageSource} image
 * @param {Result} result
 * @param {About} about
 * @param {Options} options
 */
export function draw(canvas, image, result, about, options) {
  const { mirrored = false, lit = null } = options;
  const [width, height] = [canvas.width, canvas.height];
  const boxes = boxesIn(width, result, mirrored);
  const labels = labelled(canvas, boxes, result, about, options);
  if (labels.strip) canvas.height = height + labels.strip;
  const pen = canvas.getContext('2d');
  if (!pen) return;
  pen.save();
  if (labels.strip) {
    pen.fillStyle = EDGE;
    pen.fillRect(0, height, width, labels.strip);
  }
  if (mirrored) pen.setTransform(-1, 0, 0, 1, width, 0);
  pen.drawImage(image, 0, 0, width, height);
  pen.restore();
  result.faces.forEach((face, k) => {
    const line = lineOf(boxes[k], options.text);
    const ink = colour(about.colours[about.labels[highest(face.scores)]]);
    const thick = isUncertain(face) ? line / 2 : line;
    const dashes = isUnsure(face) || isUncertain(face) ? [3 * line, 2 * line] : [];
    if (numberOf(face, k) === lit) outline(pen, boxes[k], LIGHT, 4 * line, []);
    // dark lines on both sides keep it seen on a ground of its own colour
    outline(pen, boxes[k], EDGE, 2 * thick, []);
    outline(pen, boxes[k], ink, thick, dashes);
  });
  write(pen, labels);
}

/**
 * Return the boxes of a result in pixels of a canvas.
 * @param {number} width of the canvas
 * @param {Result} result
 * @param {boolean} mirrored
 */
export function boxesIn(width, result, mirrored) {
  const scale = width / result.width;
  return result.faces.map(({ box: [x, y, wide, high] }) => {
    const left = mirrored ? result.width - x - wide : x;
    return /** @type {Area} */ ([left * scale, y * scale, wide * scale, high * scale]);
  });
}

/** Return the width of a box's line: small faces have thin ones. @param {Area} box @param {number} text */
function lineOf([, , wide, high], text) {
  return Math.max(text / 15, Math.min(text / 7, Math.min(wide, high) / 12), 1);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Area} box
 * @param {string} ink
 * @param {number} width
 * @param {number[]} dashes
 */
function outline(pen, [x, y, wide, high], ink, width, dashes) {
  pen.strokeStyle = ink;
  pen.lineWidth = width;
  pen.setLineDash(dashes);
  pen.beginPath();
  pen.roundRect(x, y, wide, high, Math.min(wide, high) / 12);
  pen.stroke();
}

/** @typedef {{names: string[], text: number, areas: (Area | null)[], strip: number}} Labels */

/**
 * Word the labels and find room for them.
 * @param {HTMLCanvasElement} canvas
 * @param {Area[]} boxes
 * @param {Result} result
 * @param {About} about
 * @param {Options} options
 * @returns {Labels}
 */
function labelled(canvas, boxes, { faces }, { labels }, { text, strip: mayGrow = false }) {
  const pen = canvas.getContext('2d');
  if (!pen || !faces.length) return { names: [], text, areas: [], strip: 0 };
  const names = wordings(faces, labels);
  pen.font = `600 ${text}px ${FONT}`;
  const widths = names.map((all) => all.map((name) => pen.measureText(name).width));
  const growths = mayGrow ? [0, STRIP * text] : [0];
  const [best] = growths
    .map((strip) => ({
      found: layout([canvas.width, canvas.height + strip], boxes, text, widths),
      strip: Math.round(strip),
    }))
    // the wider one only where it has room for more
    .sort((one, other) => room(other.found.areas) - room(one.found.areas) || one.strip - other.strip);
  const { wording, text: size, areas } = best.found;
  return { names: names[wording], text: size, areas, strip: best.strip };
}

/** @param {(Area | null)[]} areas */
const room = (areas) => areas.filter(Boolean).length;

/**
 * Return what labels may contain, the longest wording first; the last one is the number.
 * @param {Face[]} faces
 * @param {string[]} labels
 */
function wordings(faces, labels) {
  const numbers = faces.map((face, k) => `${numberOf(face, k)}${isUncertain(face) ? '?' : ''}`);
  if (faces.length > MOST_WITH_WORDS) return [numbers];
  const words = (/** @type {(face: Face) => string} */ name) =>
    faces.map((face, k) => {
      const word = isUncertain(face) ? 'uncertain' : name(face);
      return faces.length > 1 ? `${numberOf(face, k)} ${word}` : word;
    });
  const full = words((face) => named(face, labels));
  const short = words((face) => nameOf(face, labels));
  return faces.length > 1 ? [full, short, numbers] : [full, short];
}

/**
 * Write the labels.
 * @param {CanvasRenderingContext2D} pen
 * @param {Labels} labels
 */
function write(pen, { names, text, areas }) {
  pen.font = `600 ${text}px ${FONT}`;
  pen.textBaseline = 'middle';
  areas.forEach((area, k) => {
    if (!area) return;
    const [x, y, wide, high] = area;
    pen.fillStyle = PLATE;
    pen.beginPath();
    pen.roundRect(x, y, wide, high, text / 4);
    pen.fill();
    pen.fillStyle = LIGHT;
    pen.fillText(names[k], x + PAD * text, y + high / 2);
  });
}
