// Runs one function of the engine on JSON from standard input and prints JSON: so that the tests in
// Python can hold it against what Python computes. Bytes are base64.

import { readFileSync } from 'node:fs';

import { align, mirrorCrop } from '../../web/src/engine/align.js';
import { decodeBoxes, detectFaces, suppressOverlaps } from '../../web/src/engine/centerface.js';
import { header } from '../../web/src/engine/header.js';
import { blur, occlusion } from '../../web/src/engine/occlusion.js';
import { resize } from '../../web/src/engine/resize.js';
import { detectorSettings } from '../../web/src/engine/settings.js';
import { csv } from '../../web/src/engine/table.js';
import { Tracker } from '../../web/src/engine/tracker.js';
import { combineScores, cutViews } from '../../web/src/engine/views.js';
import { layout } from '../../web/src/page/places.js';

const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const floats = (text) => new Float32Array(bytes(text).buffer);
const text = (data) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');

function toPixels({ width, height, rgb }) {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  bytes(rgb).forEach((level, k) => (data[4 * Math.floor(k / 3) + (k % 3)] = level));
  return { width, height, data };
}

const rgb = ({ data }) => text(Uint8Array.from(data.filter((_, k) => k % 4 < 3)));

const FUNCTIONS = {
  align: ({ box, landmarks, input, margin, ...of }) =>
    text(align(toPixels(of), { box, landmarks }, input, margin)),
  views: ({ faces, about, views, ...of }) =>
    cutViews(toPixels(of), faces, about, views).map((crops) => crops.map(text)),
  combine: ({ views, about }) => combineScores(views, about),
  mirror: ({ crop, input }) => text(mirrorCrop(bytes(crop), input)),
  settings: ({ thresholds }) => detectorSettings({ thresholds }),
  resize: ({ to, ...of }) => rgb(resize(toPixels(of), ...to)),
  blur: ({ pixels, size, channels, radius }) =>
    text(blur(bytes(pixels), size, channels, radius)),
  decode: ({ rows, columns, threshold, ...outputs }) => {
    const named = Object.entries(outputs).map(([name, value]) => [name, floats(value)]);
    const boxes = decodeBoxes(Object.fromEntries(named), rows, columns, threshold);
    return { boxes, kept: suppressOverlaps(boxes).map((box) => boxes.indexOf(box)) };
  },
  // which sizes the network is asked for, of an image in which it finds nothing
  passes: async ({ once, settings, ...of }) => {
    const sizes = [];
    const nothing = async (canvas, high, wide) => {
      sizes.push([high, wide]);
      const none = new Float32Array((high * wide) / 16);
      return { heat: none, size: none, offset: none, marks: none };
    };
    await detectFaces(toPixels(of), nothing, settings, once);
    return sizes;
  },
  // the score is the mean of the crop's pixels by some weights
  occlusion: async ({ crop, input, weights }) => {
    const by = floats(weights);
    const scored = async (crops, count) =>
      Float32Array.from({ length: count }, (_, k) =>
        by.reduce((sum, weight, place) => sum + weight * crops[k * by.length + place], 0),
      );
    return text(await occlusion(bytes(crop), input, scored, () => {}));
  },
  track: (results) => {
    const tracker = new Tracker();
    return results.map((result) => tracker.update(result));
  },
  layout: ({ size, boxes, text, wordings }) => layout(size, boxes, text, wordings),
  csv: ({ entries, about }) => csv(entries, about),
  header: ({ file, pixels }) => {
    try {
      return header(bytes(file), pixels);
    } catch (error) {
      return { error: error.message };
    }
  },
};

const { call, values } = JSON.parse(readFileSync(0, 'utf8'));
const results = [];
for (const value of values) results.push(await FUNCTIONS[call](value));
process.stdout.write(JSON.stringify(results));
