// Resizes as Pillow's `resize(size, BILINEAR, reducing_gap=2)` does, to the byte, so that detection
// has the same input as in Python. A canvas resizes differently, and in each browser in another way.

/** @import {Pixels} from './types.js' */

const BITS = 22;
const GAP = 2;

/**
 * @param {Pixels} image
 * @param {number} width
 * @param {number} height
 * @returns {Pixels}
 */
export function resize(image, width, height) {
  const factorX = Math.max(1, Math.trunc(image.width / width / GAP));
  const factorY = Math.max(1, Math.trunc(image.height / height / GAP));
  const small = factorX > 1 || factorY > 1 ? shrinkByBlocks(image, factorX, factorY) : image;
  // Pillow hands these on in single precision
  const box = [image.width / factorX, image.height / factorY].map(Math.fround);
  const steps = [
    (/** @type {Pixels} */ of) =>
      width !== of.width || box[0] !== width ? across(of, width, box[0]) : of,
    (/** @type {Pixels} */ of) =>
      height !== of.height || box[1] !== height ? down(of, height, box[1]) : of,
  ];
  // roundings differ with the order; Pillow begins with the height where that loses far more rows
  const lost = small.height - height;
  if (lost > 0 && lost > 2 * (small.width - width)) steps.reverse();
  return steps.reduce((result, step) => step(result), small);
}

/**
 * Shrink to the rounded means of blocks; those at the edges may be smaller.
 * @param {Pixels} image
 * @param {number} factorX
 * @param {number} factorY
 * @returns {Pixels}
 */
function shrinkByBlocks(image, factorX, factorY) {
  const width = Math.ceil(image.width / factorX);
  const height = Math.ceil(image.height / factorY);
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let row = 0, to = 0; row < height; row++) {
    const bottom = Math.min((row + 1) * factorY, image.height);
    for (let column = 0; column < width; column++, to += 4) {
      const right = Math.min((column + 1) * factorX, image.width);
      const count = (right - column * factorX) * (bottom - row * factorY);
      // divides by a multiplication in 32 bits, as Pillow does
      const multiplier = Math.trunc(Math.fround(2 ** 24 / count));
      const sums = [count >> 1, count >> 1, count >> 1];
      for (let y = row * factorY; y < bottom; y++) {
        let at = 4 * (y * image.width + column * factorX);
        for (let x = column * factorX; x < right; x++, at += 4) {
          sums[0] += image.data[at];
          sums[1] += image.data[at + 1];
          sums[2] += image.data[at + 2];
        }
      }
      for (let c = 0; c < 3; c++) data[to + c] = Math.floor((sums[c] * multiplier) / 2 ** 24);
    }
  }
  return { width, height, data };
}

/**
 * Return which pixels of a side count how much for each pixel of the new one.
 * @param {number} length of the side in pixels
 * @param {number} target
 * @param {number} end where the side ends; a block at the edge may be counted in part
 * @returns {{starts: Int32Array, counts: Int32Array, weights: Int32Array, most: number}}
 */
function computeWeights(length, target, end) {
  const scale = end / target;
  const support = Math.max(scale, 1);
  const most = 2 * Math.ceil(support) + 1;
  const starts = new Int32Array(target);
  const counts = new Int32Array(target);
  const weights = new Int32Array(target * most);
  const fractions = new Float64Array(most);
  for (let place = 0; place < target; place++) {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(length, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const distance = Math.abs((k + start - centre + 0.5) * (1 / support));
      fractions[k] = distance < 1 ? 1 - distance : 0;
      sum += fractions[k];
    }
    for (let k = 0; k < count; k++) {
      const fraction = sum ? fractions[k] / sum : fractions[k];
      weights[place * most + k] = Math.trunc(0.5 + fraction * (1 << BITS));
    }
    starts[place] = start;
    counts[place] = count;
  }
  return { starts, counts, weights, most };
}

/** @param {Pixels} image @param {number} width @param {number} end @returns {Pixels} */
function across(image, width, end) {
  const { starts, counts, weights, most } = computeWeights(image.width, width, end);
  const data = new Uint8ClampedArray(4 * width * image.height);
  for (let row = 0, to = 0; row < image.height; row++) {
    for (let place = 0; place < width; place++, to += 4) {
      let at = 4 * (row * image.width + starts[place]);
      mix(image.data, at, 4, weights, place * most, counts[place], data, to);
    }
  }
  return { width, height: image.height, data };
}

/** @param {Pixels} image @param {number} height @param {number} end @returns {Pixels} */
function down(image, height, end) {
  const { starts, counts, weights, most } = computeWeights(image.height, height, end);
  const stride = 4 * image.width;
  const data = new Uint8ClampedArray(stride * height);
  for (let place = 0, to = 0; place < height; place++) {
    for (let column = 0; column < image.width; column++, to += 4) {
      const at = starts[place] * stride + 4 * column;
      mix(image.data, at, stride, weights, place * most, counts[place], data, to);
    }
  }
  return { width: image.width, height, data };
}

/**
 * Weigh some pixels into one.
 * @param {Uint8ClampedArray} from
 * @param {number} at
 * @param {number} step
 * @param {Int32Array} weights
 * @param {number} first
 * @param {number} count
 * @param {Uint8ClampedArray} data
 * @param {number} to
 */
function mix(from, at, step, weights, first, count, data, to) {
  let red = 1 << (BITS - 1);
  let green = red;
  let blue = red;
  for (let k = 0; k < count; k++, at += step) {
    const weight = weights[first + k];
    red += from[at] * weight;
    green += from[at + 1] * weight;
    blue += from[at + 2] * weight;
  }
  data[to] = red >> BITS;
  data[to + 1] = green >> BITS;
  data[to + 2] = blue >> BITS;
  data[to + 3] = 255;
}
