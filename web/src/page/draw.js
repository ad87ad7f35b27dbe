// Boxes and names over a picture, as src/emotion_detection/inference/annotate.py draws them.

import { highest } from '../engine/table.js';
import { layout, PAD } from './places.js';

/** @import {About, Area, Face, Result} from '../engine/types.js' */

const PLATE = 'rgb(22 24 28 / 85%)';
const EDGE = 'rgb(22 24 28)';
const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';

/** @param {[number, number, number]} rgb */
export const colour = (rgb) => `rgb(${rgb.join(' ')})`;

/** @param {number} share */
export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

/** @param {Face} face */
export const isUnsure = (face) => face.flags.includes('unsure');

/**
 * Return what a face is called: its emotion and score.
 * @param {Face} face
 * @param {string[]} labels
 */
export function named(face, labels) {
  return `${called(face, labels)} ${percent(Math.max(...face.scores))}`;
}

/** @param {Face} face @param {string[]} labels */
function called(face, labels) {
  const label = labels[highest(face.scores)];
  return isUnsure(face) ? `unsure: ${label}?` : label;
}

/**
 * Draw a picture and what was found in it.
 * @param {HTMLCanvasElement} canvas its size is that of what is drawn
 * @param {CanvasImageSource} picture
 * @param {Result} result
 * @param {About} about
 * @param {{text: number, mirrored?: boolean}} options text: its size in pixels of the canvas
 */
export function draw(canvas, picture, result, about, { text, mirrored = false }) {
  const pen = canvas.getContext('2d');
  if (!pen) return;
  const scale = canvas.width / result.width;
  pen.save();
  if (mirrored) pen.setTransform(-1, 0, 0, 1, canvas.width, 0);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.restore();
  const boxes = result.faces.map(({ box: [x, y, wide, high] }) => {
    const left = mirrored ? result.width - x - wide : x;
    return /** @type {Area} */ ([left * scale, y * scale, wide * scale, high * scale]);
  });
  const line = Math.max(2, text / 7);
  result.faces.forEach((face, k) => {
    const ink = colour(about.colours[about.labels[highest(face.scores)]]);
    // dark lines on both sides keep it seen on a ground of its own colour
    outline(pen, boxes[k], EDGE, 2 * line, []);
    outline(pen, boxes[k], ink, line, isUnsure(face) ? [3 * line, 2 * line] : []);
  });
  const names = result.faces.map((face) => {
    const place = face.track === null || result.faces.length < 2 ? '' : `${face.track}: `;
    return [named(face, about.labels), called(face, about.labels)].map((name) => place + name);
  });
  write(pen, names, boxes, text);
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

/**
 * Write each face's name beside it.
 * @param {CanvasRenderingContext2D} pen
 * @param {string[][]} names the wordings of each face's
 * @param {Area[]} boxes
 * @param {number} text
 */
function write(pen, names, boxes, text) {
  if (!names.length) return;
  pen.font = `600 ${text}px ${FONT}`;
  pen.textBaseline = 'middle';
  const widths = names[0].map((_, k) => names.map((wordings) => pen.measureText(wordings[k]).width));
  const found = layout([pen.canvas.width, pen.canvas.height], boxes, text, widths);
  pen.font = `600 ${found.text}px ${FONT}`;
  found.areas.forEach(([x, y, wide, high], k) => {
    pen.fillStyle = PLATE;
    pen.beginPath();
    pen.roundRect(x, y, wide, high, found.text / 4);
    pen.fill();
    pen.fillStyle = 'white';
    pen.fillText(names[k][found.wording], x + PAD * found.text, y + high / 2);
  });
}
