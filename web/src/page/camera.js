// The camera: frames to results, one at a time, as fast as they are read.

import { Tracker } from '../engine/tracker.js';

/** @import {Result} from '../engine/types.js' */
/** @import {Engine} from './engine.js' */

const WORKING = 320;
/** Frames a second: scores are smoothed over half a second, so more would only warm the device. */
const RATE = 20;

/**
 * Say in words why a camera did not start.
 * @param {unknown} error
 */
export function cameraWords(error) {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    return 'The camera was not allowed. To use it, allow it for this page in the browser’s settings (often behind the icon beside the address) and try again.';
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    return 'No camera was found. Connect one, or choose pictures instead.';
  }
  if (name === 'NotReadableError' || name === 'AbortError') {
    return 'The camera is there but gives no pictures; another program may be using it.';
  }
  if (!navigator.mediaDevices) {
    return 'This browser gives cameras to pages from https or localhost alone. Choose pictures instead.';
  }
  return `The camera did not start: ${error instanceof Error ? error.message : error}`;
}

/**
 * Takes a frame, which is then its own to close, and what was found in it.
 * @typedef {(frame: ImageBitmap, result: Result, rate: number) => void} Shown
 */

/** Frames of a camera, read until it is stopped. */
export class Camera {
  /** @type {MediaStream | null} */
  #stream = null;
  #video = document.createElement('video');

  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
  }

  /**
   * Ask for the camera, and start it.
   * @param {() => void} ended called when the camera goes away by itself
   */
  async start(ended) {
    if (!navigator.mediaDevices) throw new Error('no mediaDevices');
    const wanted = {
      width: { ideal: 640 },
      height: { ideal: 480 },
      frameRate: { ideal: RATE },
      facingMode: 'user',
    };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.#stream = stream;
    for (const track of stream.getTracks()) track.addEventListener('ended', ended);
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = stream;
    await this.#video.play();
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#video.srcObject = null;
  }

  /** @param {Shown} shown */
  async run(shown) {
    const stream = this.#stream;
    const tracker = new Tracker();
    const start = performance.now();
    /** @type {number[]} */
    const moments = [];
    for (let frame = 0; this.#stream === stream && stream; frame++) {
      await nextFrame(this.#video);
      if (this.#stream !== stream) break;
      const bitmap = await createImageBitmap(this.#video);
      const copy = await createImageBitmap(bitmap);
      const time = (performance.now() - start) / 1000;
      const { result } = await this.engine.frame(bitmap, { working: WORKING, frame, time });
      const now = performance.now();
      moments.push(now);
      while (now - moments[0] > 3000) moments.shift();
      const rate = moments.length < 2 ? 0 : (1000 * (moments.length - 1)) / (now - moments[0]);
      if (this.#stream === stream) shown(copy, tracker.update(result), rate);
      else copy.close();
    }
  }
}

/**
 * Wait for a picture that was not shown yet; no longer than a moment, where the browser tells of none.
 * @param {HTMLVideoElement} video
 */
function nextFrame(video) {
  return new Promise((resolve) => {
    const waited = setTimeout(resolve, 250, 0);
    const done = () => {
      clearTimeout(waited);
      resolve(0);
    };
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(done);
    else requestAnimationFrame(done);
  });
}
