// Scores over time before the camera: the last half minute of the largest face.

import { highest } from '../engine/table.js';
import { colour } from './draw.js';

/** @import {About, Face, Result} from '../engine/types.js' */

const SECONDS = 30;

/** @typedef {{time: number, track: number | null, scores: number[]}} Moment */

export class Timeline {
  /** @type {Moment[]} */
  #moments = [];

  /** @param {HTMLCanvasElement} canvas @param {About} about */
  constructor(canvas, about) {
    this.canvas = canvas;
    this.about = about;
  }

  /** @param {Result} result a frame's */
  add(result) {
    const time = result.time ?? 0;
    const face = largest(result.faces);
    if (face) this.#moments.push({ time, track: face.track, scores: face.scores });
    while (this.#moments.length && this.#moments[0].time < time - SECONDS) this.#moments.shift();
    this.#draw(time);
  }

  /** @param {number} now */
  #draw(now) {
    const { canvas, about } = this;
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * density);
    canvas.height = Math.round(canvas.clientHeight * density);
    const pen = canvas.getContext('2d');
    if (!pen) return;
    const [wide, high] = [canvas.width, canvas.height];
    const x = (/** @type {number} */ time) => wide * (1 + (time - now) / SECONDS);
    const y = (/** @type {number} */ share) => (high - 2 * density) * (1 - share) + density;
    pen.strokeStyle = getComputedStyle(canvas).color;
    pen.globalAlpha = 0.25;
    pen.lineWidth = density;
    for (const share of [0, 0.5, 1]) {
      pen.beginPath();
      pen.moveTo(0, y(share));
      pen.lineTo(wide, y(share));
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 2.5 * density;
    about.labels.forEach((label, k) => {
      pen.strokeStyle = colour(about.colours[label]);
      pen.beginPath();
      this.#moments.forEach((moment, place) => {
        const before = this.#moments[place - 1];
        // another person, or nobody for a while: another line
        const goes = before?.track === moment.track && moment.time - before.time < 1;
        if (goes) pen.lineTo(x(moment.time), y(moment.scores[k]));
        else pen.moveTo(x(moment.time), y(moment.scores[k]));
      });
      pen.stroke();
    });
  }

  /** Say what was seen most in these seconds. */
  summary() {
    const counts = this.about.labels.map(() => 0);
    for (const { scores } of this.#moments) counts[highest(scores)]++;
    if (!this.#moments.length) return 'no face in the last half minute';
    return `mostly ${this.about.labels[highest(counts)]} in the last half minute`;
  }
}

/** @param {Face[]} faces */
function largest(faces) {
  const area = (/** @type {Face} */ face) => face.box[2] * face.box[3];
  return faces.reduce(
    (best, face) => (best && area(best) >= area(face) ? best : face),
    /** @type {Face | null} */ (null),
  );
}
