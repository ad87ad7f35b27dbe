// The crop of a face under its heat map, in the colours of
// src/emotion_detection/inference/explain.py.

const MAP = [
  [1, 24, 107],
  [105, 2, 126],
  [166, 2, 117],
  [219, 30, 104],
  [252, 85, 87],
  [255, 145, 94],
  [255, 194, 123],
  [255, 237, 178],
];
const FAINTEST = 0.02;

/**
 * Draw a crop, what speaks for the emotion in colour.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} crop (size, size, channels)
 * @param {Float32Array} heat (size, size)
 * @param {{size: number, channels: number}} input
 */
export function drawHeat(canvas, crop, heat, { size, channels }) {
  const most = Math.max(FAINTEST, ...heat);
  const image = new ImageData(size, size);
  heat.forEach((value, place) => {
    const fraction = Math.min(Math.max(value / most, 0), 1);
    const thick = 0.8 * Math.sqrt(fraction);
    for (let c = 0; c < 3; c++) {
      const ground = crop[place * channels + (channels === 1 ? 0 : c)];
      image.data[4 * place + c] = Math.round(ground + thick * (level(fraction, c) - ground));
    }
    image.data[4 * place + 3] = 255;
  });
  canvas.width = canvas.height = size;
  canvas.getContext('2d')?.putImageData(image, 0, 0);
}

/** @param {number} fraction @param {number} channel */
function level(fraction, channel) {
  const place = fraction * (MAP.length - 1);
  const below = Math.min(Math.floor(place), MAP.length - 2);
  const [low, high] = [MAP[below][channel], MAP[below + 1][channel]];
  return low + (place - below) * (high - low);
}
