// Which regions of a face drove a score: method 'occlusion' of
// src/emotion_detection/inference/explain.py, to the same numbers.

/** @typedef {(crops: Uint8Array, count: number) => Promise<Float32Array>} Scored one score a crop */

const BATCH = 19;

/**
 * Map the score lost by hiding each place of a crop: a square slides over it, and what it hides is
 * replaced by the blurred crop.
 * @param {Uint8Array} crop (size, size, channels)
 * @param {{size: number, channels: number}} input
 * @param {Scored} scored
 * @param {(fraction: number) => void} progress told how much is done, 0 to 1
 * @returns {Promise<Float32Array>} (size, size)
 */
export async function occlusion(crop, { size, channels }, scored, progress) {
  const hidden = blur(crop, size, channels, size / 8);
  const corners = squares(size);
  const whole = (await scored(crop, 1))[0];
  const [lost, times] = [new Float64Array(size * size), new Float64Array(size * size)];
  for (let start = 0; start < corners.length; start += BATCH) {
    const some = corners.slice(start, start + BATCH);
    const batch = new Uint8Array(some.length * crop.length);
    some.forEach((square, k) => {
      const shown = batch.subarray(k * crop.length, (k + 1) * crop.length);
      shown.set(crop);
      under(square, size, (place) => {
        for (let c = place * channels; c < (place + 1) * channels; c++) shown[c] = hidden[c];
      });
    });
    const scores = await scored(batch, some.length);
    some.forEach((square, k) =>
      under(square, size, (place) => {
        lost[place] += whole - scores[k];
        times[place] += 1;
      }),
    );
    progress((start + some.length) / corners.length);
  }
  return Float32Array.from(lost, (value, place) => value / times[place]);
}

/** @typedef {{x: number, y: number, side: number}} Square */

/** @param {number} size @returns {Square[]} */
function squares(size) {
  const side = Math.max(2, Math.round(size / 4));
  const step = Math.max(1, Math.floor(side / 4));
  /** @type {number[]} */
  const starts = [];
  for (let start = step - side; start < size; start += step) starts.push(start);
  return starts.flatMap((y) => starts.map((x) => ({ x, y, side })));
}

/** @param {Square} square @param {number} size @param {(place: number) => void} call */
function under({ x, y, side }, size, call) {
  for (let row = Math.max(0, y); row < Math.min(size, y + side); row++) {
    for (let column = Math.max(0, x); column < Math.min(size, x + side); column++) {
      call(row * size + column);
    }
  }
}

/**
 * Blur as Pillow's GaussianBlur does, to the byte: three box blurs along each side.
 * @param {Uint8Array} pixels (size, size, channels)
 * @param {number} size
 * @param {number} channels
 * @param {number} radius
 */
export function blur(pixels, size, channels, radius) {
  // the box whose third convolution with itself has this variance (Gwosdek et al. 2011)
  const variance = (radius * radius) / 3;
  const inner = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  const rest = (2 * inner + 1) * (inner * (inner + 1) - 3 * variance);
  const box = Math.fround(inner + rest / (6 * (variance - (inner + 1) ** 2)));
  const result = Uint8Array.from(pixels);
  const steps = [
    { along: channels, lines: size * channels },
    { along: size * channels, lines: channels },
  ];
  for (const { along, lines } of steps) {
    for (let turn = 0; turn < 3; turn++) {
      for (let line = 0; line < size; line++) {
        for (let c = 0; c < channels; c++) boxBlur(result, line * lines + c, along, size, box);
      }
    }
  }
  return result;
}

/**
 * Blur one line by a box that may reach into a part of its last pixels.
 * @param {Uint8Array} pixels
 * @param {number} start
 * @param {number} step
 * @param {number} length
 * @param {number} box
 */
function boxBlur(pixels, start, step, length, box) {
  const radius = Math.trunc(box);
  const inside = Math.trunc((1 << 24) / (box * 2 + 1));
  const edge = Math.trunc(((1 << 24) - (radius * 2 + 1) * inside) / 2);
  const line = Array.from({ length }, (_, k) => pixels[start + k * step]);
  const at = (/** @type {number} */ place) => line[Math.min(Math.max(place, 0), length - 1)];
  for (let place = 0; place < length; place++) {
    let sum = 0;
    for (let k = place - radius; k <= place + radius; k++) sum += at(k);
    const mixed = sum * inside + (at(place - radius - 1) + at(place + radius + 1)) * edge;
    pixels[start + place * step] = Math.floor((mixed + (1 << 23)) / (1 << 24));
  }
}
