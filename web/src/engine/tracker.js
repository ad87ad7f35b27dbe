// Who is who from frame to frame, and each person's scores smoothed over time: as the live tracking
// of src/emotion_detection/inference/tracking.py.

/** @import {Area, Face, Result} from './types.js' */

const SMOOTH = 0.5;
const PATIENCE = 1.0;
const LEAST_OVERLAP = -0.2;
const VELOCITY_MEMORY = 0.2;
const FORESIGHT = 0.5;
/** A face of this confidence begins a track by itself. */
const START_CONFIDENCE = 0.5;
/** How long, and in how many frames in a row, a less confident face must be found to begin one. */
const START_SECONDS = 0.5;
const START_FRAMES = 3;

/**
 * @typedef {object} Track
 * @property {number | null} number given when the track is first shown
 * @property {boolean} confirmed whether it is a person for certain
 * @property {Area} box
 * @property {number} first time of the first frame, in seconds
 * @property {number} time time of the last frame
 * @property {number} step seconds between the last frame and the one before
 * @property {number} found in how many frames
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
   * Return a frame's result with tracks and smoothed scores. Faces that are nobody's yet are left out.
   * @param {Result} result whose time is not before the last one's
   * @returns {Result}
   */
  update(result) {
    const time = result.time ?? 0;
    const previous = this.#last;
    const step = Number.isFinite(previous) ? time - previous : 0;
    this.#last = time;
    for (const track of this.#tracks) track.step ||= step; // the first frame had none
    this.#end(previous, time);
    const followed = this.#paired(result.faces, time);
    const faces = result.faces.flatMap((face, place) => {
      const known = followed.get(place);
      const track = known ?? this.#begin(face, time, step);
      if (known) advance(known, face, time, step);
      if (face.confidence >= START_CONFIDENCE || isLasting(track)) track.confirmed = true;
      if (!track.confirmed) return [];
      track.number ??= this.#next++;
      return [{ ...face, track: track.number, scores: track.scores, intensity: track.intensity }];
    });
    return { ...result, faces };
  }

  /**
   * End the tracks of people out of sight, and the unconfirmed that missed a frame.
   * @param {number} previous
   * @param {number} time
   */
  #end(previous, time) {
    const oldest = Math.min(previous, time - PATIENCE);
    this.#tracks = this.#tracks.filter((one) => one.time >= (one.confirmed ? oldest : previous));
  }

  /**
   * Pair faces with tracks: confident faces first, then the others with the people that are left.
   * @param {Face[]} faces
   * @param {number} time
   * @returns {Map<number, Track>}
   */
  #paired(faces, time) {
    const isConfident = (/** @type {number} */ place) =>
      faces[place].confidence >= START_CONFIDENCE;
    const places = [...faces.keys()];
    const confident = places.filter(isConfident);
    const others = places.filter((place) => !isConfident(place));
    const known = this.#tracks.filter((track) => track.confirmed);
    const found = paired(known, confident, faces, time);
    const taken = new Set(found.values());
    const left = known.filter((track) => !taken.has(track));
    for (const [place, track] of paired(left, others, faces, time)) found.set(place, track);
    const free = [...confident, ...others].filter((place) => !found.has(place));
    const unconfirmed = this.#tracks.filter((track) => !track.confirmed);
    for (const [place, track] of paired(unconfirmed, free, faces, time)) found.set(place, track);
    return found;
  }

  /** @param {Face} face @param {number} time @param {number} step @returns {Track} */
  #begin({ box, scores, intensity }, time, step) {
    /** @type {Track} */
    const track = {
      ...{ number: null, confirmed: false, box, scores, intensity },
      ...{ first: time, time, step, found: 1, velocity: [0, 0] },
    };
    this.#tracks.push(track);
    return track;
  }
}

/** @param {Track} track */
const isLasting = ({ found, time, first, step }) =>
  found >= START_FRAMES && time - first + step >= START_SECONDS;

/**
 * Pair tracks with faces by the overlap of their boxes, best first.
 * @param {Track[]} tracks
 * @param {number[]} places
 * @param {Face[]} faces
 * @param {number} time
 * @returns {Map<number, Track>}
 */
function paired(tracks, places, faces, time) {
  const pairs = tracks.flatMap((track) =>
    places.map((place) => ({
      track,
      place,
      overlap: overlap(expected(track, time), faces[place].box),
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

/**
 * Take a person's new place, and smooth the scores.
 * @param {Track} track
 * @param {Face} face
 * @param {number} time
 * @param {number} step
 */
function advance(track, face, time, step) {
  const passed = time - track.time;
  const fraction = weight(passed, SMOOTH);
  if (passed > 0) {
    const [old, now] = [centre(track.box), centre(face.box)];
    const memory = weight(passed, VELOCITY_MEMORY);
    for (const axis of /** @type {const} */ ([0, 1])) {
      track.velocity[axis] += memory * ((now[axis] - old[axis]) / passed - track.velocity[axis]);
    }
  }
  track.box = face.box;
  track.time = time;
  track.step = step;
  track.found += 1;
  track.scores = face.scores.map((score, k) => between(track.scores[k], score, fraction));
  track.intensity =
    face.intensity === null || track.intensity === null
      ? face.intensity
      : between(track.intensity, face.intensity, fraction);
}

/** @param {Track} track @param {number} time @returns {Area} */
function expected({ box, velocity, time: last }, time) {
  const ahead = Math.min(time - last, FORESIGHT);
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

/** @param {number} old @param {number} now @param {number} fraction */
const between = (old, now, fraction) => old + fraction * (now - old);
