// The worker: loads the networks once, then detects faces in one image after another, off the page's thread.

import * as ort from 'onnxruntime-web/wasm';
import loader from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { ImageError } from './header.js';
import { decode, pixelsOf } from './decoding.js';
import { enlarge, Detector } from './detector.js';
import { sizeLimits } from './settings.js';

/** @import {About} from './types.js' */
/** @import {Networks} from './detector.js' */

const FILES = { about: 'models/model.json', faceModel: 'models/centerface.onnx', model: 'models/model.onnx' };
const THREADS = 4;

/** @type {Promise<Detector> | null} */
let detector = null;

/** @param {(done: number, total: number) => void} progress @param {string} base */
async function open(progress, base) {
  const response = await fetched(new URL(FILES.about, base));
  const about = /** @type {About} */ (await response.json());
  const addresses = [
    new URL(FILES.faceModel, base),
    new URL(FILES.model, base),
    new URL(wasm, self.location.href),
  ];
  const done = addresses.map(() => 0);
  const total = addresses.map(() => 0);
  const sum = (/** @type {number[]} */ numbers) => numbers.reduce((all, one) => all + one, 0);
  const contents = await Promise.all(
    addresses.map((address, k) =>
      download(address, (some, all) => {
        [done[k], total[k]] = [some, all];
        if (total.every(Boolean)) progress(sum(done), sum(total));
      }),
    ),
  );
  ort.env.wasm.wasmPaths = { mjs: new URL(loader, self.location.href).href };
  ort.env.wasm.wasmBinary = contents[2];
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? Math.min(THREADS, navigator.hardwareConcurrency)
    : 1;
  const options = { executionProviders: ['wasm'], logSeverityLevel: /** @type {const} */ (4) };
  const faceModel = await ort.InferenceSession.create(contents[0], options);
  const model = await ort.InferenceSession.create(contents[1], options);
  return new Detector(about, networks(faceModel, model, about));
}

/** @param {URL} address */
async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname}: the server answers ${response.status}`);
  return response;
}

/** @param {URL} address @param {(done: number, total: number) => void} progress */
async function download(address, progress) {
  const response = await fetched(address);
  const total = Number(response.headers.get('Content-Length')) || 1;
  const parts = [];
  let done = 0;
  for (const stream = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader(); ; ) {
    const { value } = await stream.read();
    if (!value) break;
    parts.push(value);
    done += value.length;
    progress(done, Math.max(done, total));
  }
  return new Uint8Array(await new Blob(/** @type {BlobPart[]} */ (parts)).arrayBuffer());
}

/**
 * @param {ort.InferenceSession} faceModel
 * @param {ort.InferenceSession} model
 * @param {About} about
 * @returns {Networks}
 */
function networks(faceModel, model, about) {
  const { size, channels } = about.input;
  return {
    async detect(canvas, high, wide) {
      const feeds = { 'input.1': new ort.Tensor('float32', canvas, [1, 3, high, wide]) };
      const found = await faceModel.run(feeds);
      const [heat, sides, offset, marks] = faceModel.outputNames.map(
        (name) => /** @type {Float32Array} */ (found[name].data),
      );
      return { heat, size: sides, offset, marks };
    },
    async classify(faces, count, outputs) {
      const feeds = { faces: new ort.Tensor('uint8', faces, [count, channels, size, size]) };
      const found = await model.run(feeds, outputs);
      return outputs.map((name) => /** @type {Float32Array} */ (found[name].data));
    },
  };
}

/**
 * What the page may ask for.
 * @typedef {{kind: 'open', base: string}} Open
 * @typedef {{kind: 'image', file: Blob, source: string}} DetectImage
 * @typedef {object} Moment
 * @property {string} source
 * @property {number} [working] pixels of the longer side that faces are detected in
 * @property {number} frame
 * @property {number} time in seconds
 * @property {boolean} once one pass, even where nothing is found
 * @typedef {{kind: 'frame', bitmap: ImageBitmap} & Moment} DetectFrame
 * @typedef {{kind: 'explain', crop: Uint8Array, emotion: number}} Explain
 * @typedef {Open | DetectImage | DetectFrame | Explain} Request
 */

/** @param {Request} request @param {(done: number, total: number) => void} progress */
async function answer(request, progress) {
  if (request.kind === 'open') {
    detector ??= open(progress, request.base);
    try {
      return (await detector).about;
    } catch (error) {
      detector = null;
      throw error;
    }
  }
  const opened = await /** @type {Promise<Detector>} */ (detector);
  const { background } = opened.about;
  if (request.kind === 'image') {
    const limits = sizeLimits(opened.about);
    const { image, scale, notes, thumbnail } = await decode(request.file, { ...limits, background });
    const detected = await opened.detect(image, { source: request.source, notes });
    return { ...detected, result: enlarge(detected.result, scale), scale, thumbnail };
  }
  if (request.kind === 'frame') {
    const image = pixelsOf(request.bitmap, background);
    request.bitmap.close();
    const { source, working, frame, time, once } = request;
    return opened.detect(image, { source, working, frame, time, once });
  }
  return opened.explain(request.crop, request.emotion, (fraction) => progress(fraction, 1));
}

/** @type {Promise<void>} */
let last = Promise.resolve();

self.addEventListener('message', ({ data: { id, ...request } }) => {
  last = last.then(async () => {
    const progress = (/** @type {number} */ done, /** @type {number} */ total) =>
      self.postMessage({ id, progress: [done, total] });
    try {
      const value = await answer(/** @type {Request} */ (request), progress);
      self.postMessage({ id, value }, 'thumbnail' in value ? [value.thumbnail] : []);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      self.postMessage({ id, error: message, isImageError: error instanceof ImageError });
    }
  });
});
