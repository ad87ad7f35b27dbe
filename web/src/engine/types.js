// Types alone: what the parts of the engine hand to one another.

/**
 * An image: RGBA, 8 bits a channel, rows from the top; alpha is 255 throughout.
 * @typedef {{width: number, height: number, data: Uint8ClampedArray}} Pixels
 */

/** @typedef {[number, number, number, number]} Area x, y, width, height in pixels */

/** @typedef {[number, number]} Point x, y in pixels; 0, 0 is the corner of the first pixel */

/**
 * A face that was found.
 * @typedef {object} FoundFace
 * @property {[number, number, number, number]} box x, y, width, height
 * @property {Point[]} landmarks in the order of `About.landmarks`
 * @property {number} confidence 0 to 1
 */

/**
 * `models/model.json`, as `emotion_detection.inference.browser` writes it.
 * @typedef {object} About
 * @property {string} label_set
 * @property {string[]} labels
 * @property {Record<string, {labels: string[], output: string}>} label_sets
 * @property {{size: number, channels: number}} input
 * @property {boolean} intensity
 * @property {{working_size: number, confidence: number, smallest: number,
 *   least_score: number, pixels: number, certain?: number}} thresholds certain: faces with less
 *   confidence are flagged as uncertain
 * @property {number} views views of each face of an image whose scores are averaged: 1, 2 or 4
 * @property {number} zoom how much the face is enlarged in the third and fourth view
 * @property {'natural' | 'balanced'} prior whose class frequencies the scores go by
 * @property {Record<string, {prior: number[], adjustment: number,
 *   temperatures: Record<string, number>}>} readouts of each set of labels
 * @property {number} margin side of a crop by the longer side of the box
 * @property {number} background
 * @property {Record<string, [number, number, number]>} colours
 * @property {string[]} landmarks
 * @property {string[]} columns
 * @property {string[]} [notes] what users must know of the model
 */

/**
 * A face with its expression.
 * @typedef {object} Face
 * @property {[number, number, number, number]} box
 * @property {Point[]} landmarks
 * @property {number} confidence
 * @property {number[]} scores in the order of the labels
 * @property {number | null} intensity
 * @property {string[]} flags such as 'cut', 'uncertain_face' and 'unsure'
 * @property {number | null} track number of the person in a video, from 1
 */

/**
 * The faces of an image or a frame.
 * @typedef {object} Result
 * @property {string | null} source
 * @property {number} width
 * @property {number} height
 * @property {Face[]} faces
 * @property {number} skipped
 * @property {string[]} notes
 * @property {number | null} frame
 * @property {number | null} time
 */

export {};
