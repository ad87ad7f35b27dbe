// Scores over time, of the largest face in each frame: before a camera and of a video.

import { highest } from '../engine/table.js';
import { colour } from './draw.js';
import { make } from './dom.js';

/** @import {About, Face, Result} from '../engine/types.js' */

/** Seconds that are shown of a camera. */
const LATELY = 30;
/** Seconds without the face after which its line breaks off. */
const GAP = 1;
const TICKS = 6;

/** @typedef {{time: number, track: number | null, scores: number[]}} Moment */

export class Timeline {
  /** @type {Moment[]} */
  #moments = [];
  #from = -LATELY;
  #to = 0;
  /** @type {number | null} */
  #mark = null;

  /** @param {HTMLCanvasElement} canvas @param {About} about */
  constructor(canvas, about) {
    this.canvas = canvas;
    this.about = about;
  }

  /** Add a camera's frame, and forget what is long past. @param {Result} result */
  add(result) {
    const time = result.time ?? 0;
    this.#moments.push(...momentsOf([result]));
    while (this.#moments.length && this.#moments[0].time < time - LATELY) this.#moments.shift();
    [this.#from, this.#to] = [time - LATELY, time];
    this.draw();
  }

  /** Show a whole video. @param {Result[]} results @param {number} duration in seconds */
  show(results, duration) {
    this.#moments = momentsOf(results);
    [this.#from, this.#to] = [0, Math.max(duration, 0.1)];
    this.draw();
  }

  /** Mark a time. @param {number} time in seconds */
  mark(time) {
    this.#mark = time;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * density);
    canvas.height = Math.round(canvas.clientHeight * density);
    const pen = canvas.getContext('2d');
    if (!pen || !canvas.width) return;
    pen.scale(density, density);
    const style = getComputedStyle(canvas);
    pen.font = `12px ${style.fontFamily}`;
    pen.fillStyle = pen.strokeStyle = style.color;
    const left = pen.measureText('100 %').width + 10;
    const [right, top, bottom] = [canvas.clientWidth - 10, 10, canvas.clientHeight - 22];
    const x = (/** @type {number} */ time) =>
      left + ((right - left) * (time - this.#from)) / (this.#to - this.#from);
    const y = (/** @type {number} */ fraction) => bottom - (bottom - top) * fraction;
    drawAxes(pen, { x, y, from: this.#from, to: this.#to });
    this.#lines(pen, x, y);
    if (this.#mark === null) return;
    pen.lineWidth = 1.5;
    pen.strokeStyle = style.color;
    line(pen, [x(this.#mark), y(0)], [x(this.#mark), y(1)]);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {(time: number) => number} x
   * @param {(fraction: number) => number} y
   */
  #lines(pen, x, y) {
    pen.lineWidth = 2.5;
    pen.lineJoin = 'round';
    this.about.labels.forEach((label, k) => {
      pen.strokeStyle = colour(this.about.colours[label]);
      pen.beginPath();
      this.#moments.forEach((moment, place) => {
        const before = this.#moments[place - 1];
        // another person, or nobody for a while: another line
        const goes = before?.track === moment.track && moment.time - before.time < GAP;
        if (goes) pen.lineTo(x(moment.time), y(moment.scores[k]));
        else pen.moveTo(x(moment.time), y(moment.scores[k]));
      });
      pen.stroke();
    });
  }

  /** Return in words which expression was the most frequent. */
  summary() {
    const counts = this.about.labels.map(() => 0);
    for (const { scores } of this.#moments) counts[highest(scores)]++;
    if (!this.#moments.length) return 'no face';
    return `mostly ${this.about.labels[highest(counts)]}`;
  }

  /** Return what the colours of the lines mean. */
  legend() {
    return this.about.labels.map((label) => {
      const spot = make('span', { 'aria-hidden': 'true' });
      spot.style.background = colour(this.about.colours[label]);
      return make('li', {}, spot, label);
    });
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {{x: (time: number) => number, y: (fraction: number) => number, from: number, to: number}} scales
 */
function drawAxes(pen, { x, y, from, to }) {
  pen.lineWidth = 1;
  pen.textBaseline = 'middle';
  pen.textAlign = 'right';
  for (const fraction of [0, 0.5, 1]) {
    pen.globalAlpha = 0.3;
    line(pen, [x(from), y(fraction)], [x(to), y(fraction)]);
    pen.globalAlpha = 1;
    pen.fillText(`${100 * fraction} %`, x(from) - 6, y(fraction));
  }
  pen.textBaseline = 'top';
  pen.textAlign = 'center';
  const step = tickStep(to - from);
  for (let time = Math.ceil(Math.max(from, 0) / step) * step; time <= to; time += step) {
    pen.globalAlpha = 0.3;
    line(pen, [x(time), y(0)], [x(time), y(0) + 4]);
    pen.globalAlpha = 1;
    pen.fillText(`${Number(time.toFixed(1))} s`, Math.min(x(time), x(to) - 10), y(0) + 6);
  }
}

/** Return seconds from tick to tick, a round number. @param {number} length in seconds */
function tickStep(length) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
  return steps.find((step) => length / step <= TICKS) ?? length;
}

/** @param {CanvasRenderingContext2D} pen @param {number[]} from @param {number[]} to */
function line(pen, from, to) {
  pen.beginPath();
  pen.moveTo(from[0], from[1]);
  pen.lineTo(to[0], to[1]);
  pen.stroke();
}

/** @param {Result[]} results @returns {Moment[]} */
function momentsOf(results) {
  return results.flatMap(({ time, faces }) => {
    const face = largest(faces);
    return face ? [{ time: time ?? 0, track: face.track, scores: face.scores }] : [];
  });
}

/** @param {Face[]} faces */
function largest(faces) {
  const area = (/** @type {Face} */ face) => face.box[2] * face.box[3];
  return faces.reduce(
    (best, face) => (best && area(best) >= area(face) ? best : face),
    /** @type {Face | null} */ (null),
  );
}
