// Detects faces and classifies their expressions, as src/emotion_detection/inference/emotion_detector.py
// does, with two opened networks.

import { detectFaces, isCut } from './centerface.js';
import { occlusion } from './occlusion.js';
import { detectorSettings, UNCERTAIN_FACE } from './settings.js';
import { combineScores, cutViews } from './views.js';

/** @import {Network} from './centerface.js' */
/** @import {DetectorSettings} from './settings.js' */
/** @import {About, Area, FoundFace, Pixels, Point, Result} from './types.js' */

/**
 * The networks, however they are run.
 * @typedef {object} Networks
 * @property {Network} detect
 * @property {(faces: Uint8Array, count: number, outputs: string[]) => Promise<Float32Array[]>}
 *   classify takes (count, channels, size, size)
 */

/**
 * @typedef {object} Options
 * @property {string | null} [source]
 * @property {string[]} [notes]
 * @property {number | null} [frame]
 * @property {number | null} [time]
 * @property {number} [working] longer side in pixels for detection
 * @property {boolean} [once] one pass, even where nothing is found
 */

export class Detector {
  /**
   * @param {About} about
   * @param {Networks} networks
   */
  constructor(about, networks) {
    this.about = about;
    this.networks = networks;
    this.output = about.label_sets[about.label_set].output;
  }

  /**
   * Detect the faces of an image, and classify them.
   * @param {Pixels} image
   * @param {Options} options
   * @returns {Promise<{result: Result, crops: Uint8Array[]}>} crops: (size, size, channels)
   */
  async detect(image, options) {
    const { source = null, notes = [], frame = null, time = null } = options;
    const { width, height } = image;
    const settings = detectorSettings(this.about);
    const found = await detectFaces(
      image,
      this.networks.detect,
      { ...settings, working_size: options.working ?? settings.working_size },
      options.once,
    );
    // a camera's frames come faster than four views of each face can be classified
    const views = cutViews(image, found.faces, this.about, options.once ? 1 : this.about.views);
    const crops = views[0];
    const { scores, intensity } = await this.classify(views);
    const faces = found.faces.map((face, k) => ({
      ...face,
      scores: scores[k],
      intensity: intensity[k],
      flags: flagsOf(face, image, settings),
      track: null,
    }));
    const allNotes = faces.length ? [...notes, ...(this.about.notes ?? [])] : notes;
    const skipped = found.skipped;
    return { result: { source, width, height, faces, skipped, notes: allNotes, frame, time }, crops };
  }

  /**
   * Map how much of a score is lost where a face is hidden.
   * @param {Uint8Array} crop
   * @param {number} emotion place of the score
   * @param {(fraction: number) => void} progress
   */
  explain(crop, emotion, progress) {
    const { input, labels } = this.about;
    return occlusion(
      crop,
      input,
      async (crops, count) => {
        const faces = planar(crops, count, input);
        const [scores] = await this.networks.classify(faces, count, [this.output]);
        return Float32Array.from({ length: count }, (_, k) => scores[k * labels.length + emotion]);
      },
      progress,
    );
  }

  /**
   * Classify faces, each shown in one or several views.
   * @param {Uint8Array[][]} views for each view, the crops (size, size, channels) of all faces
   * @returns {Promise<{scores: number[][], intensity: (number | null)[]}>} of each face
   */
  async classify(views) {
    const { input, labels } = this.about;
    const faces = views[0].length;
    if (!faces) return { scores: [], intensity: [] };
    const crops = views.flat();
    const joined = new Uint8Array(crops.length * crops[0].length);
    crops.forEach((crop, k) => joined.set(crop, k * crop.length));
    const outputs = this.about.intensity ? [this.output, 'intensity'] : [this.output];
    const shown = planar(joined, crops.length, input);
    const [scores, intensity] = await this.networks.classify(shown, crops.length, outputs);
    const count = labels.length;
    /** @param {number} row */
    const scoresOf = (row) => [...scores.slice(row * count, (row + 1) * count)];
    const mean = (/** @type {number} */ face) =>
      views.reduce((sum, _, view) => sum + intensity[view * faces + face], 0) / views.length;
    return {
      scores: views[0].map((_, face) =>
        combineScores(views.map((_, view) => scoresOf(view * faces + face)), this.about),
      ),
      intensity: views[0].map((_, face) => (intensity ? mean(face) : null)),
    };
  }
}

/**
 * Return what should be known of a detected face.
 * @param {FoundFace} face
 * @param {Pixels} image
 * @param {DetectorSettings} settings
 */
function flagsOf(face, { width, height }, { certain }) {
  const flags = isCut(face, width, height) ? ['cut'] : [];
  return face.confidence < certain ? [...flags, UNCERTAIN_FACE] : flags;
}

/**
 * Return a result in the pixels of an image that is larger than the one it is of.
 * @param {Result} result
 * @param {number} scale
 * @returns {Result}
 */
export function enlarge(result, scale) {
  if (scale === 1) return result;
  const faces = result.faces.map((face) => ({
    ...face,
    box: /** @type {Area} */ (face.box.map((value) => scale * value)),
    landmarks: face.landmarks.map(([x, y]) => /** @type {Point} */ ([scale * x, scale * y])),
  }));
  const [width, height] = [result.width, result.height].map((side) => Math.round(scale * side));
  return { ...result, width, height, faces };
}

/**
 * Turn (count, size, size, channels) into (count, channels, size, size).
 * @param {Uint8Array} crops
 * @param {number} count
 * @param {{size: number, channels: number}} input
 */
function planar(crops, count, { size, channels }) {
  if (channels === 1) return crops;
  const plane = size * size;
  const faces = new Uint8Array(crops.length);
  for (let face = 0; face < count; face++) {
    for (let place = 0; place < plane; place++) {
      for (let c = 0; c < channels; c++) {
        faces[(face * channels + c) * plane + place] = crops[(face * plane + place) * channels + c];
      }
    }
  }
  return faces;
}
