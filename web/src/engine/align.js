// Crops a face from an image, by the steps of src/emotion_detection/inference/align.py:
// the same pixels to the byte. The steps' numbers are those of that file.

/** @import {Pixels, Point} from './types.js' */

/** Scale (pixels of the image per pixel of the crop) and rotation, and the crop's corner. */
/** @typedef {{turn: Point, corner: Point}} Placement */

/**
 * Cut out a face, upright.
 * @param {Pixels} image
 * @param {{box: number[], landmarks: Point[]}} face
 * @param {{size: number, channels: number}} input
 * @param {number} margin
 * @returns {Uint8Array} (size, size, channels)
 */
export function align(image, face, input, margin) {
  return cutOut(image, placement(face, input.size, margin), input.size, input.channels);
}

/**
 * Mirror a crop: left becomes right.
 * @param {Uint8Array} crop (size, size, channels)
 * @param {{size: number, channels: number}} input
 * @returns {Uint8Array} (size, size, channels)
 */
export function mirrorCrop(crop, { size, channels }) {
  return crop.map((_, at) => {
    const [place, channel] = [Math.floor(at / channels), at % channels];
    const column = place % size;
    return crop[(place + size - 1 - 2 * column) * channels + channel];
  });
}

/**
 * Return where the crop of a face lies (step 1).
 * @param {{box: number[], landmarks: Point[]}} face box: x, y, width and height
 * @param {number} size
 * @param {number} margin
 * @returns {Placement}
 */
export function placement({ box, landmarks }, size, margin) {
  const [x, y, wide, high] = box;
  const [left, right] = landmarks;
  const scale = (Math.max(wide, high) * margin) / size;
  const [across, down] = [right[0] - left[0], right[1] - left[1]];
  const length = Math.sqrt(across * across + down * down);
  /** @type {Point} */
  const turn = length ? [scale * (across / length), scale * (down / length)] : [scale, 0];
  const half = size / 2;
  return {
    turn,
    corner: [
      x + wide / 2 - (turn[0] * half - turn[1] * half),
      y + high / 2 - (turn[0] * half + turn[1] * half),
    ],
  };
}

/**
 * Resample a part of an image (steps 2 to 5).
 * @param {Pixels} image
 * @param {Placement} where
 * @param {number} size
 * @param {number} channels
 * @returns {Uint8Array}
 */
export function cutOut(image, { turn, corner }, size, channels) {
  const block = Math.max(1, Math.floor(Math.hypot(...turn) + 0.5));
  const count = size * size;
  const [xs, ys] = [new Float64Array(count), new Float64Array(count)];
  for (let row = 0, at = 0; row < size; row++) {
    for (let column = 0; column < size; column++, at++) {
      const [x, y] = [column + 0.5, row + 0.5];
      xs[at] = (turn[0] * x - turn[1] * y + corner[0]) / block - 0.5;
      ys[at] = (turn[0] * y + turn[1] * x + corner[1]) / block - 0.5;
    }
  }
  const columns = span(xs);
  const rows = span(ys);
  const means = blocks(image, rows, columns, block, channels);
  const wide = (columns[1] - columns[0]) * channels;
  const crop = new Uint8Array(count * channels);
  for (let at = 0; at < count; at++) {
    const [column, row] = [Math.floor(xs[at]), Math.floor(ys[at])];
    const [x, y] = [xs[at] - column, ys[at] - row];
    let from = (row - rows[0]) * wide + (column - columns[0]) * channels;
    for (let channel = 0; channel < channels; channel++, from++) {
      const above = means[from] * (1 - x) + means[from + channels] * x;
      const below = means[from + wide] * (1 - x) + means[from + wide + channels] * x;
      crop[at * channels + channel] = Math.floor(above * (1 - y) + below * y + 0.5);
    }
  }
  return crop;
}

/**
 * Return the blocks that places touch along a side: the first, and the one after the last.
 * @param {Float64Array} places
 * @returns {[number, number]}
 */
function span(places) {
  let [low, high] = [Infinity, -Infinity];
  for (const place of places) {
    low = Math.min(low, place);
    high = Math.max(high, place);
  }
  return [Math.floor(low), Math.floor(high) + 2];
}

/**
 * Return the means of some blocks: (rows, columns, channels).
 * @param {Pixels} image
 * @param {[number, number]} rows
 * @param {[number, number]} columns
 * @param {number} block
 * @param {number} channels
 */
function blocks(image, rows, columns, block, channels) {
  const high = rows[1] - rows[0];
  const wide = columns[1] - columns[0];
  const sums = new Float64Array(high * wide * channels);
  const across = weighBlocks(columns, block, image.width);
  const line = new Float64Array(wide * channels);
  let summed = -1;
  weighBlocks(rows, block, image.height).forEach((parts, row) => {
    for (const [start, stop, weight] of parts) {
      for (let y = start; y < stop; y++) {
        // beyond the edges the same row comes again and again
        if (summed !== y) sumLine(image, y, across, channels, line);
        summed = y;
        for (let k = 0; k < line.length; k++) sums[row * line.length + k] += weight * line[k];
      }
    }
  });
  return sums.map((sum) => sum / (block * block));
}

/** @typedef {[number, number, number]} Part pixels from, to, and how often each counts */

/**
 * Return the pixels of a side that make up each block; beyond the side the nearest pixel repeats.
 * @param {[number, number]} range
 * @param {number} block
 * @param {number} length
 * @returns {Part[][]}
 */
function weighBlocks([first, end], block, length) {
  return Array.from({ length: end - first }, (_, k) => {
    const start = (first + k) * block;
    const stop = start + block;
    const before = Math.min(Math.max(-start, 0), block);
    const after = Math.min(Math.max(stop - length, 0), block);
    /** @type {Part[]} */
    const parts = [
      [0, 1, before],
      [Math.max(start, 0), Math.min(stop, length), 1],
      [length - 1, length, after],
    ];
    return parts.filter(([from, to, weight]) => from < to && weight);
  });
}

/**
 * Sum a row of the image over the blocks' columns.
 * @param {Pixels} image
 * @param {number} y
 * @param {Part[][]} across
 * @param {number} channels
 * @param {Float64Array} line what is filled
 */
function sumLine({ width, data }, y, across, channels, line) {
  line.fill(0);
  across.forEach((parts, k) => {
    for (const [start, stop, weight] of parts) {
      for (let x = start, at = 4 * (y * width + start); x < stop; x++, at += 4) {
        if (channels === 1) {
          const grey = 19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768;
          line[k] += weight * (grey >> 16);
        } else {
          for (let c = 0; c < 3; c++) line[3 * k + c] += weight * data[at + c];
        }
      }
    }
  });
}
