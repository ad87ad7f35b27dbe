// The crops must be those of the golden file, byte for byte.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { align } from '../src/engine/align.js';

const place = new URL('../../tests/inference/golden/align.json', import.meta.url);
const golden = JSON.parse(readFileSync(place, 'utf8'));
const source = readFileSync(
  new URL('../../src/emotion_detection/inference/align.py', import.meta.url),
  'utf8',
);

/** @param {string} name */
const constant = (name) => source.match(new RegExp(`^${name} = (.*)$`, 'm'))?.[1] ?? '';

const margin = Number(constant('MARGIN'));

const { width, height } = golden;
const data = new Uint8ClampedArray(4 * width * height).fill(255);
Buffer.from(golden.rgb, 'base64').forEach((level, k) => {
  data[4 * Math.floor(k / 3) + (k % 3)] = level;
});

for (const { name, size, channels, box, landmarks, crop } of golden.cases) {
  test(name, () => {
    const made = align({ width, height, data }, { box, landmarks }, { size, channels }, margin);
    assert.equal(Buffer.from(made).toString('base64'), crop);
  });
}
