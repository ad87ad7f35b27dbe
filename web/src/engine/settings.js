// The settings of the face detector, in one place. What models/model.json says (the settings in
// Python, or those of the server) comes first. The numbers of the steps themselves stand beside them,
// in centerface.js, and are held against Python's by the tests.

/** @import {About} from './types.js' */

/** Faces with less confidence are flagged `uncertain_face`, where model.json says no other level. */
const CERTAIN = 0.5;

/** Flag of a detection that may be no face: it is drawn thin and not counted. */
export const UNCERTAIN_FACE = 'uncertain_face';

/** Pixels of the longer side of a camera's frames in which faces are detected. */
export const CAMERA_SIZE = 320;

/** Megapixels are decoded up to this number at full size; larger images are decoded smaller. */
const MOST_DECODED = 25_000_000;

/** Images with more pixels are refused before they are decoded. */
const MOST_PIXELS = 200_000_000;

/**
 * @typedef {object} DetectorSettings
 * @property {number} confidence boxes with less are dropped
 * @property {number} certain faces with less are flagged as uncertain
 * @property {number} smallest pixels of the longer side of a box
 * @property {number} working_size pixels of the longer side in which faces are detected first
 */

/**
 * Return the settings with which faces are detected.
 * @param {About} about
 * @returns {DetectorSettings}
 */
export function detectorSettings({ thresholds }) {
  const { confidence, smallest, working_size } = thresholds;
  const certain = Math.max(thresholds.certain ?? CERTAIN, confidence);
  return { confidence, certain, smallest, working_size };
}

/**
 * Return the limits of what is decoded, in pixels.
 * @param {About} about
 * @returns {{decoded: number, pixels: number}} decoded: at full size; pixels: at all
 */
export function sizeLimits({ thresholds }) {
  return {
    decoded: Math.min(thresholds.pixels, MOST_DECODED),
    pixels: Math.max(thresholds.pixels, MOST_PIXELS),
  };
}
