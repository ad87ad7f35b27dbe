// The page's side of the worker: ask, and be told.

import { ImageError } from '../engine/header.js';

/** @import {About, Result} from '../engine/types.js' */
/** @import {Moment, Request} from '../engine/worker.js' */

/**
 * The faces of an image; a frame has neither scale nor thumbnail.
 * @typedef {object} Detected
 * @property {Result} result
 * @property {Uint8Array[]} crops of the faces
 * @property {number} scale pixels of the file's image for one of the image that was read
 * @property {ImageBitmap} thumbnail
 */
/** @typedef {(done: number, total: number) => void} Progress */

/**
 * @typedef {object} Waiting
 * @property {(value: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {Progress} progress
 */

export class Engine {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  #next = 0;
  /** @type {Promise<About> | null} */
  #about = null;

  /**
   * Load the networks, once.
   * @param {Progress} [progress]
   * @returns {Promise<About>}
   */
  open(progress) {
    this.#about ??= this.#ask({ kind: 'open', base: document.baseURI }, progress).catch((error) => {
      this.#about = null; // the next image tries again
      throw error;
    });
    return this.#about;
  }

  /** @param {Blob} file @param {string} source @returns {Promise<Detected>} */
  detectImage(file, source) {
    return this.#ask({ kind: 'image', file, source });
  }

  /**
   * @param {ImageBitmap} bitmap is given away
   * @param {Moment} of
   * @returns {Promise<Pick<Detected, 'result' | 'crops'>>}
   */
  detectFrame(bitmap, of) {
    return this.#ask({ kind: 'frame', bitmap, ...of }, undefined, [bitmap]);
  }

  /**
   * @param {Uint8Array} crop
   * @param {number} emotion
   * @param {Progress} progress
   * @returns {Promise<Float32Array>}
   */
  explain(crop, emotion, progress) {
    return this.#ask({ kind: 'explain', crop, emotion }, progress);
  }

  /**
   * @param {Request} request
   * @param {Progress} [progress]
   * @param {Transferable[]} [given]
   * @returns {Promise<any>}
   */
  #ask(request, progress = () => {}, given = []) {
    const worker = (this.#worker ??= this.#started());
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject, progress });
      worker.postMessage({ id, ...request }, given);
    });
  }

  #started() {
    const worker = new Worker(new URL('../engine/worker.js', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }) => {
      const waiting = this.#waiting.get(data.id);
      if (data.progress) return waiting?.progress(data.progress[0], data.progress[1]);
      this.#waiting.delete(data.id);
      if (data.error === undefined) return waiting?.resolve(data.value);
      waiting?.reject(data.isImageError ? new ImageError(data.error) : new Error(data.error));
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const error = new Error(event.message || 'its program could not be loaded');
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      worker.terminate();
      [this.#worker, this.#about] = [null, null];
    });
    return worker;
  }
}

/** Say what this browser lacks, or nothing. */
export function lacking() {
  if (typeof WebAssembly !== 'object') {
    return 'This browser has WebAssembly switched off or is too old for it, so it cannot read images here.';
  }
  if (typeof OffscreenCanvas !== 'function' || typeof Worker !== 'function') {
    return 'This browser is too old to read images by itself: it needs OffscreenCanvas (Chrome 69, Firefox 105, Safari 16.4).';
  }
  return '';
}
