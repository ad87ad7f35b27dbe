// Boxes and names over a picture, as src/emotion_detection/inference/annotate.py draws them.

import { highest } from '../engine/table.js';

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
  const best = highest(face.scores);
  const name = isUnsure(face) ? `unsure: ${labels[best]}?` : labels[best];
  return `${name} ${percent(face.scores[best])}`;
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
  pen.font = `600 ${text}px ${FONT}`;
  pen.textBaseline = 'middle';
  const names = result.faces.map((face) => {
    const name = named(face, about.labels);
    return face.track === null || result.faces.length < 2 ? name : `${face.track + 1}: ${name}`;
  });
  const [pad, high] = [text * 0.4, text * 1.5];
  const sizes = names.map((name) => /** @type {[number, number]} */ (
    [pen.measureText(name).width + 2 * pad, high]
  ));
  placed([canvas.width, canvas.height], boxes, sizes).forEach(([x, y], k) => {
    pen.fillStyle = PLATE;
    pen.beginPath();
    pen.roundRect(x, y, sizes[k][0], high, text / 4);
    pen.fill();
    pen.fillStyle = 'white';
    pen.fillText(names[k], x + pad, y + high / 2);
  });
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
 * Put each name beside its face, off faces and other names as far as there is room.
 * @param {[number, number]} size
 * @param {Area[]} boxes
 * @param {[number, number][]} names
 * @returns {[number, number][]}
 */
function placed(size, boxes, names) {
  /** @type {Area[]} */
  const taken = [];
  return boxes.map(([x, y, wide, high], k) => {
    const [long, tall] = names[k];
    const gap = tall / 6;
    const [above, below, inner] = [y - tall - gap, y + high + gap, y + high - tall];
    const [right, middle] = [x + wide - long, x + (wide - long) / 2];
    const ways = [
      ...[[x, above], [x, below], [right, above], [right, below], [middle, above]],
      ...[[middle, below], [x + wide + gap, y], [x - long - gap, y], [x, inner], [x, y]],
    ];
    const areas = ways.map(([left, top]) => /** @type {Area} */ ([
      Math.min(Math.max(left, 0), Math.max(size[0] - long, 0)),
      Math.min(Math.max(top, 0), Math.max(size[1] - tall, 0)),
      long,
      tall,
    ]));
    const costs = areas.map(
      (area) =>
        boxes.reduce((sum, box) => sum + shared(area, box) / (box[2] * box[3]), 0) +
        taken.reduce((sum, other) => sum + (3 * shared(area, other)) / (long * tall), 0),
    );
    const best = areas[costs.indexOf(Math.min(...costs))];
    taken.push(best);
    return [best[0], best[1]];
  });
}

/** @param {Area} a @param {Area} b */
function shared(a, b) {
  const wide = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const high = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  return Math.max(wide, 0) * Math.max(high, 0);
}
