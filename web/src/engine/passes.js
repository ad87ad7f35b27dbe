// Decides where a second detection pass is needed, and merges its results, as
// src/emotion_detection/inference/second_pass.py does.

/** @import {FoundFace, Pixels, Point} from './types.js' */

export const [HINT, FURTHER_HINT] = [0.1, 0.2];
const SURE = 0.5;
const [SMALL, LARGE] = [20, 96];
const AROUND = 1.5;
const LEAST_AROUND = 48;
const BORDER = 3;
const OVERLAP = 0.3;
const INSIDE = 0.7;
const [SMALL_BOX, SMALL_MORE] = [32, 0.1];
const LARGER = 1.4;
const CLOSEST = 4;
const [MOST_AT_ONCE, TILE, OVERLAPPING] = [1_300_000, 1120, 192];

/** @typedef {{left: number, top: number, right: number, bottom: number}} Part */

/** @param {FoundFace} face */
const sideOf = ({ box }) => Math.max(box[2], box[3]);

/**
 * Return true for a box that is small, or doubtful and not large.
 * @param {FoundFace} face
 * @param {number} scale pixels of the network's input per pixel of the image
 */
export function needsSecondPass(face, scale) {
  const side = scale * sideOf(face);
  return side < SMALL || (face.confidence < SURE && side < LARGE);
}

/**
 * Return the confidence that a box needs to count as a face.
 * @param {FoundFace} face
 * @param {number} scale
 * @param {number} confidence that large boxes need
 */
export function minConfidence(face, scale, confidence) {
  if (scale * sideOf(face) >= SMALL_BOX) return confidence;
  return Math.max(confidence, Math.min(confidence + SMALL_MORE, SURE));
}

/**
 * Return the sizes of further passes, in pixels of the longer side.
 * @param {number} longer side of the image
 * @param {number} working size of the first pass
 * @param {(value: number) => number} round
 */
export function passSizes(longer, working, round) {
  const sizes = [
    Math.max(Math.min(longer, 2 * working), Math.min(2 * longer, round(LARGER * working))),
  ];
  for (;;) {
    const next = 2 * sizes[sizes.length - 1];
    if (next > Math.min(longer, CLOSEST * working)) return sizes;
    sizes.push(next);
  }
}

/**
 * Return the region of an image that contains some boxes with a margin.
 * @param {FoundFace[]} faces at least one
 * @param {number} width
 * @param {number} height
 * @param {number} scale pixels of the second pass per pixel of the image
 * @returns {Part}
 */
export function partAround(faces, width, height, scale) {
  const bounds = faces.map((face) => {
    const [x, y, wide, high] = face.box;
    const room = Math.max(AROUND * sideOf(face), LEAST_AROUND / scale);
    return [x - room, y - room, x + wide + room, y + high + room];
  });
  const column = (/** @type {number} */ k) => bounds.map((row) => row[k]);
  const [left, top] = [0, 1].map((k) => Math.trunc(Math.max(0, Math.min(...column(k)))));
  const [right, bottom] = [2, 3].map((k) =>
    Math.trunc(Math.min(k === 2 ? width : height, Math.max(...column(k)) + 1)),
  );
  return {
    left: Math.min(left, width - 1),
    top: Math.min(top, height - 1),
    right: Math.max(right, 1),
    bottom: Math.max(bottom, 1),
  };
}

/**
 * Merge the faces of a pass with those of a larger pass over a region.
 * @param {FoundFace[]} before
 * @param {FoundFace[]} closer
 * @param {Part} part
 * @param {{width: number, height: number}} image
 * @param {number} scale pixels of the previous pass per pixel of the image
 */
export function mergePasses(before, closer, part, image, scale) {
  const border = BORDER / (2 * scale);
  let left = closer.filter((face) => !isCutBy(face, part, image, border));
  /** @type {FoundFace[]} */
  const merged = [];
  for (const face of [...before].sort((a, b) => b.confidence - a.confidence)) {
    if (!(isInside(face, part) && needsSecondPass(face, scale))) {
      merged.push(face);
      left = left.filter((other) => !isSameFace(face, other));
      continue;
    }
    const same = left.filter((other) => isSameFace(face, other));
    if (!same.length) {
      merged.push({ ...face, confidence: face.confidence / 2 });
      continue;
    }
    const again = same.reduce((best, other) => (other.confidence > best.confidence ? other : best));
    left = left.filter((other) => other !== again);
    const mean = (face.confidence + again.confidence) / 2;
    merged.push({ ...again, confidence: Math.max(again.confidence, mean) });
  }
  return keepDistinct([...merged, ...left]);
}

/**
 * Return each face once: of boxes for the same face the most confident one.
 * @param {FoundFace[]} faces
 */
export function keepDistinct(faces) {
  /** @type {FoundFace[]} */
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.confidence - a.confidence)) {
    if (!kept.some((other) => isSameFace(face, other))) kept.push(face);
  }
  return kept;
}

/**
 * Return true where two boxes overlap much, or most of the smaller lies within the larger.
 * @param {FoundFace} one
 * @param {FoundFace} other
 */
export function isSameFace({ box: one }, { box: other }) {
  const [wide, high] = [0, 1].map((k) =>
    Math.max(Math.min(one[k] + one[k + 2], other[k] + other[k + 2]) - Math.max(one[k], other[k]), 0),
  );
  const shared = wide * high;
  const areas = [one[2] * one[3], other[2] * other[3]];
  return (
    shared > OVERLAP * (areas[0] + areas[1] - shared) || shared > INSIDE * Math.min(...areas)
  );
}

/** @param {FoundFace} face @param {Part} part */
function isInside({ box }, part) {
  const [x, y] = [box[0] + box[2] / 2, box[1] + box[3] / 2];
  return part.left <= x && x <= part.right && part.top <= y && y <= part.bottom;
}

/**
 * @param {FoundFace} face
 * @param {Part} part
 * @param {{width: number, height: number}} image
 * @param {number} border
 */
function isCutBy({ box: [x, y, wide, high] }, part, { width, height }, border) {
  return (
    (part.left > 0 && x < part.left + border) ||
    (part.top > 0 && y < part.top + border) ||
    (part.right < width && x + wide > part.right - border) ||
    (part.bottom < height && y + high > part.bottom - border)
  );
}

/**
 * Cut a part into overlapping tiles, if it is too large for one run.
 * @param {Part} part
 * @param {number} scale
 * @returns {Part[]}
 */
export function tilesOf({ left, top, right, bottom }, scale) {
  const pixels = (right - left) * (bottom - top) * scale ** 2;
  const longest = pixels > MOST_AT_ONCE ? TILE / scale : Infinity;
  const rows = ranges(top, bottom, longest, OVERLAPPING / scale);
  const columns = ranges(left, right, longest, OVERLAPPING / scale);
  return rows.flatMap(([from, to]) =>
    columns.map(([start, end]) => ({ left: start, top: from, right: end, bottom: to })),
  );
}

/**
 * @param {number} start
 * @param {number} end
 * @param {number} longest
 * @param {number} common
 * @returns {[number, number][]}
 */
function ranges(start, end, longest, common) {
  const length = end - start;
  if (length <= longest) return [[start, end]];
  const count = Math.ceil((length - common) / (longest - common));
  const step = (length - common) / count;
  return Array.from({ length: count }, (_, number) => {
    const place = start + Math.trunc(step * number);
    return [place, Math.min(end, place + Math.ceil(step + common))];
  });
}

/**
 * Crop a region of an image.
 * @param {Pixels} image
 * @param {Part} part
 * @returns {Pixels}
 */
export function cutPart(image, { left, top, right, bottom }) {
  const [width, height] = [right - left, bottom - top];
  if (width === image.width && height === image.height) return image;
  const data = new Uint8ClampedArray(4 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 4 * ((top + row) * image.width + left);
    data.set(image.data.subarray(from, from + 4 * width), 4 * row * width);
  }
  return { ...image, width, height, data };
}

/**
 * Return a face of a region in pixels of the image.
 * @param {FoundFace} face
 * @param {Part} part
 * @returns {FoundFace}
 */
export function moveFace(face, { left, top }) {
  const [x, y, wide, high] = face.box;
  return {
    ...face,
    box: [x + left, y + top, wide, high],
    landmarks: face.landmarks.map(([px, py]) => /** @type {Point} */ ([px + left, py + top])),
  };
}
