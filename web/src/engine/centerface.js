// Detects faces by CenterFace (Xu et al. 2019, https://arxiv.org/abs/1911.03599) as
// src/emotion_detection/inference/face_detector.py does: the same passes, boxes and landmarks.

import {
  FURTHER_HINT,
  HINT,
  passSizes,
  cutPart,
  keepDistinct,
  minConfidence,
  mergePasses,
  moveFace,
  needsSecondPass,
  partAround,
  tilesOf,
} from './passes.js';
import { resize } from './resize.js';

/** @import {FoundFace, Pixels, Point} from './types.js' */

const STRIDE = 4;
const MULTIPLE = 32;
const OVERLAP = 0.3;
const CLOSE_SIZE = 128;
const CLOSE_MARGIN = 32;
const LARGEST = 4;
const ASTRAY = 1;
const GREY = 128;
const TOUCHING = 0.02;

/**
 * The network's outputs, each float32 (channels, rows, columns).
 * @typedef {object} Outputs
 * @property {Float32Array} heat 1 channel
 * @property {Float32Array} size 2
 * @property {Float32Array} offset 2
 * @property {Float32Array} marks 10
 */

/** @typedef {(canvas: Float32Array, high: number, wide: number) => Promise<Outputs>} Network */

/** @typedef {{working_size: number, confidence: number, smallest: number}} Settings */

/** @typedef {{faces: FoundFace[], skipped: number}} Found */

/**
 * Detect the faces of an image, from left to right.
 * @param {Pixels} image
 * @param {Network} network
 * @param {Settings} settings
 * @param {boolean} [once] one pass, even where nothing is found, as for a camera's frames
 * @returns {Promise<Found>}
 */
export async function detectFaces(image, network, settings, once = false) {
  const longer = Math.max(image.width, image.height);
  const { working_size: working, confidence, smallest } = settings;
  /** @type {FoundFace[]} */
  let faces = [];
  if (longer > CLOSE_SIZE) faces = await detectInPasses(image, network, settings, once);
  if (!faces.length && !(once && longer > CLOSE_SIZE)) {
    faces = await detectAt(image, network, confidence, CLOSE_SIZE, CLOSE_MARGIN);
  }
  faces.sort((a, b) => a.box[0] - b.box[0] || a.box[1] - b.box[1]);
  const large = faces.filter((face) => Math.max(face.box[2], face.box[3]) >= smallest);
  return { faces: large, skipped: faces.length - large.length };
}

/**
 * Detect faces, with a second pass where small or doubtful ones show.
 * @param {Pixels} image
 * @param {Network} network
 * @param {Settings} settings
 * @param {boolean} once
 */
async function detectInPasses(image, network, { working_size: working, confidence }, once) {
  const longer = Math.max(image.width, image.height);
  let size = Math.min(longer, working);
  const least = Math.min(HINT, confidence);
  let faces = await detectAt(image, network, least, size, 0);
  for (const [number, larger] of (once ? [] : passSizes(longer, working, halfEven)).entries()) {
    const scale = size / longer;
    let part = { left: 0, top: 0, right: image.width, bottom: image.height };
    if (number || faces.some((face) => face.confidence > confidence)) {
      const hint = number ? FURTHER_HINT : least;
      const reasons = faces.filter(
        (face) => face.confidence >= hint && needsSecondPass(face, scale),
      );
      if (!reasons.length) break;
      part = partAround(reasons, image.width, image.height, larger / longer);
    }
    /** @type {FoundFace[]} */
    const closer = [];
    for (const tile of tilesOf(part, larger / longer)) {
      const pixels = cutPart(image, tile);
      const side = Math.max(pixels.width, pixels.height);
      const at = Math.max(1, halfEven((larger / longer) * side));
      const found = await detectAt(pixels, network, least, at, 0);
      closer.push(...found.map((face) => moveFace(face, tile)));
    }
    faces = mergePasses(faces, keepDistinct(closer), part, image, scale);
    size = larger;
  }
  return faces.filter((face) => face.confidence > minConfidence(face, size / longer, confidence));
}

/**
 * Detect faces with the image's longer side at some pixels, and a grey border.
 * @param {Pixels} image
 * @param {Network} network
 * @param {number} threshold
 * @param {number} longer
 * @param {number} margin
 * @returns {Promise<FoundFace[]>}
 */
async function detectAt(image, network, threshold, longer, margin) {
  const fraction = longer / Math.max(image.height, image.width);
  const high = Math.max(1, halfEven(image.height * fraction));
  const wide = Math.max(1, halfEven(image.width * fraction));
  const small = resize(image, wide, high);
  const [rows, columns] = [high, wide].map(
    (side) => Math.ceil((side + 2 * margin) / MULTIPLE) * MULTIPLE,
  );
  const outputs = await network(canvas(small, rows, columns, margin), rows, columns);
  const boxes = decodeBoxes(outputs, rows / STRIDE, columns / STRIDE, threshold);
  const [byX, byY] = [image.width / wide, image.height / high];
  const place = (/** @type {Point} */ [x, y]) =>
    /** @type {Point} */ ([(x - margin) * byX, (y - margin) * byY]);
  const found = boxes.map((box) => ({
    low: place(box.low),
    high: place(box.high),
    landmarks: box.landmarks.map(place),
    confidence: box.confidence,
  }));
  return keepDistinct(
    suppressOverlaps(found).map(({ low, high: end, landmarks, confidence }) => ({
      box: /** @type {[number, number, number, number]} */ (
        [low[0], low[1], end[0] - low[0], end[1] - low[1]]
      ),
      landmarks,
      confidence,
    })),
  );
}

/**
 * Place an image on grey, as the network's input: float32 (3, rows, columns).
 * @param {Pixels} image
 * @param {number} rows
 * @param {number} columns
 * @param {number} margin
 */
function canvas({ width, height, data }, rows, columns, margin) {
  const plane = rows * columns;
  const values = new Float32Array(3 * plane).fill(GREY);
  for (let row = 0, at = 0; row < height; row++) {
    let to = (row + margin) * columns + margin;
    for (let column = 0; column < width; column++, at += 4, to++) {
      values[to] = data[at];
      values[to + plane] = data[at + 1];
      values[to + 2 * plane] = data[at + 2];
    }
  }
  return values;
}

/** @typedef {{low: Point, high: Point, landmarks: Point[], confidence: number}} Box */

/**
 * Decode boxes and landmarks from the outputs, in pixels of the network's input.
 * @param {Outputs} outputs
 * @param {number} rows
 * @param {number} columns
 * @param {number} threshold
 * @returns {Box[]}
 */
export function decodeBoxes({ heat, size, offset, marks }, rows, columns, threshold) {
  const plane = rows * columns;
  const least = Math.fround(threshold);
  const largest = Math.log(LARGEST * Math.max(rows, columns));
  const boxes = [];
  for (let at = 0; at < plane; at++) {
    if (!(heat[at] > least)) continue;
    const [row, column] = [Math.floor(at / columns), at % columns];
    const sides = [size[plane + at], size[at]].map(
      (side) => Math.exp(Math.min(side, largest)) * STRIDE,
    );
    const centre = [
      (column + 0.5 + offset[plane + at]) * STRIDE,
      (row + 0.5 + offset[at]) * STRIDE,
    ];
    /** @type {Point} */
    const low = [centre[0] - sides[0] / 2, centre[1] - sides[1] / 2];
    /** @type {Point[]} */
    const landmarks = [0, 1, 2, 3, 4].map((point) => [
      low[0] + clamp(marks[(2 * point + 1) * plane + at]) * sides[0],
      low[1] + clamp(marks[2 * point * plane + at]) * sides[1],
    ]);
    /** @type {Point} */
    const high = [low[0] + sides[0], low[1] + sides[1]];
    boxes.push({ low, high, landmarks, confidence: heat[at] });
  }
  return boxes;
}

/** @param {number} fraction */
const clamp = (fraction) => Math.min(Math.max(fraction, -ASTRAY), 1 + ASTRAY);

/**
 * Apply greedy non-maximum suppression: keep the most confident box of each face.
 * @template {{low: Point, high: Point, confidence: number}} B
 * @param {B[]} boxes
 * @returns {B[]}
 */
export function suppressOverlaps(boxes) {
  const area = (/** @type {B} */ { low, high }) => (high[0] - low[0]) * (high[1] - low[1]);
  let left = [...boxes].sort((a, b) => b.confidence - a.confidence);
  const kept = [];
  while (left.length) {
    const [best, ...others] = left;
    kept.push(best);
    left = others.filter((other) => {
      const sides = [0, 1].map((axis) =>
        Math.max(
          Math.min(best.high[axis], other.high[axis]) - Math.max(best.low[axis], other.low[axis]),
          0,
        ),
      );
      const shared = sides[0] * sides[1];
      return shared < OVERLAP * (area(best) + area(other) - shared);
    });
  }
  return kept;
}

/**
 * Return true if the face touches the image border, so that part may be cut off.
 * @param {FoundFace} face
 * @param {number} width
 * @param {number} height
 */
export function isCut({ box: [x, y, wide, high] }, width, height) {
  const [reachX, reachY] = [TOUCHING * wide, TOUCHING * high];
  return x < reachX || y < reachY || x + wide > width - reachX || y + high > height - reachY;
}

/**
 * Round as Python does: a half to the even number.
 * @param {number} value
 */
export function halfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 ? below + 1 : below;
}
