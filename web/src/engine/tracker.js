// Who is who from frame to frame, and each person's scores smoothed over time: as
// src/emotion_detection/inference/tracking.py.

/** @import {Area, Face, Result} from './types.js' */

const SMOOTH = 0.5;
const PATIENCE = 1.0;
const LEAST_OVERLAP = -0.2;
const VELOCITY_MEMORY = 0.2;
const FORESIGHT = 0.5;

/**
 * @typedef {object} Track
 * @property {number} number
 * @property {Area} box
 * @property {number} time
 * @property {number[]} scores
 * @property {number | null} intensity
 * @property {[number, number]} velocity
 */

export class Tracker {
  /** @type {Track[]} */
  #tracks = [];
  #next = 1;
  #last = -Infinity;

  /**
   * Return a frame's result with tracks and smoothed scores.
   * @param {Result} result whose time is not before the last one's
   * @returns {Result}
   */
  update(result) {
    const time = result.time ?? 0;
    const oldest = Math.min(this.#last, time - PATIENCE);
    this.#last = time;
    this.#tracks = this.#tracks.filter((track) => track.time >= oldest);
    const followed = this.#paired(result.faces, time);
    const faces = result.faces.map((face, place) => {
      const track = followed.get(place);
      return track ? continued(track, face, time) : this.#begin(face, time);
    });
    return { ...result, faces };
  }

  /** @param {Face[]} faces @param {number} time @returns {Map<number, Track>} */
  #paired(faces, time) {
    const pairs = this.#tracks.flatMap((track) =>
      faces.map((face, place) => ({
        track,
        place,
        overlap: overlap(expected(track, time), face.box),
      })),
    );
    pairs.sort((a, b) => b.overlap - a.overlap);
    const found = new Map();
    const taken = new Set();
    for (const pair of pairs) {
      if (pair.overlap < LEAST_OVERLAP) break;
      if (found.has(pair.place) || taken.has(pair.track)) continue;
      found.set(pair.place, pair.track);
      taken.add(pair.track);
    }
    return found;
  }

  /** @param {Face} face @param {number} time @returns {Face} */
  #begin(face, time) {
    const { box, scores, intensity } = face;
    const number = this.#next++;
    this.#tracks.push({ number, box, time, scores, intensity, velocity: [0, 0] });
    return { ...face, track: number };
  }
}

/** @param {Track} track @param {Face} face @param {number} time @returns {Face} */
function continued(track, face, time) {
  const passed = time - track.time;
  const share = weight(passed, SMOOTH);
  if (passed > 0) {
    const [old, now] = [centre(track.box), centre(face.box)];
    const memory = weight(passed, VELOCITY_MEMORY);
    for (const axis of /** @type {const} */ ([0, 1])) {
      track.velocity[axis] += memory * ((now[axis] - old[axis]) / passed - track.velocity[axis]);
    }
  }
  track.box = face.box;
  track.time = time;
  track.scores = face.scores.map((score, k) => between(track.scores[k], score, share));
  track.intensity =
    face.intensity === null || track.intensity === null
      ? face.intensity
      : between(track.intensity, face.intensity, share);
  return { ...face, track: track.number, scores: track.scores, intensity: track.intensity };
}

/** @param {Track} track @param {number} time @returns {Area} */
function expected({ box, velocity, time: seen }, time) {
  const ahead = Math.min(time - seen, FORESIGHT);
  return [box[0] + velocity[0] * ahead, box[1] + velocity[1] * ahead, box[2], box[3]];
}

/**
 * Return the distance-IoU of two boxes (Zheng et al. 2020, arXiv 1911.08287).
 * @param {Area} a
 * @param {Area} b
 */
export function overlap(a, b) {
  const ends = (/** @type {Area} */ box) => [box[0] + box[2], box[1] + box[3]];
  const [endA, endB] = [ends(a), ends(b)];
  const common = [0, 1].map((k) =>
    Math.max(0, Math.min(endA[k], endB[k]) - Math.max(a[k], b[k])),
  );
  const shared = common[0] * common[1];
  const [from, to] = [centre(a), centre(b)];
  const apart = (from[0] - to[0]) ** 2 + (from[1] - to[1]) ** 2;
  const around = [0, 1].map((k) => Math.max(endA[k], endB[k]) - Math.min(a[k], b[k]));
  const union = a[2] * a[3] + b[2] * b[3] - shared;
  return shared / union - apart / (around[0] ** 2 + around[1] ** 2);
}

/** @param {Area} box */
const centre = (box) => [box[0] + box[2] / 2, box[1] + box[3] / 2];

/** @param {number} passed @param {number} constant seconds */
const weight = (passed, constant) => -Math.expm1(-passed / constant);

/** @param {number} old @param {number} now @param {number} share */
const between = (old, now, share) => old + share * (now - old);
