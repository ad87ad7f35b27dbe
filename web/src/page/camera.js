// The camera: frames to results, one at a time, as fast as they are read.

import { CAMERA_SIZE } from '../engine/settings.js';
import { Tracker } from '../engine/tracker.js';

/** @import {Result} from '../engine/types.js' */
/** @import {Engine} from './engine.js' */

/** Frames a second: scores are smoothed over half a second, so more would only warm the device. */
const RATE = 20;

/** Cameras that can be asked for before the browser says which ones there are. */
const FACING = { user: 'Front camera', environment: 'Back camera' };

/**
 * Explain in words why a camera did not start.
 * @param {unknown} error
 */
export function describeCameraError(error) {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    return 'The camera was not allowed. To use it, allow it for this page in the browser’s settings (often behind the icon beside the address) and try again.';
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    return 'No camera was found. Connect one, or choose photos instead.';
  }
  if (name === 'NotReadableError' || name === 'AbortError') {
    return 'The camera is there but gives no images. Another program may be using it.';
  }
  if (!navigator.mediaDevices) {
    return 'This browser gives cameras only to pages from https or localhost. Choose photos instead.';
  }
  return `The camera did not start: ${error instanceof Error ? error.message : error}`;
}

/** @typedef {{value: string, name: string}} Choice value: a facing mode, or the id of a device */

/**
 * Return the cameras that may be chosen: front and back, and by name those that the browser names,
 * which it does once one was allowed.
 * @returns {Promise<Choice[]>}
 */
export async function cameraChoices() {
  const facing = Object.entries(FACING).map(([value, name]) => ({ value, name }));
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const named = devices
    .filter(({ kind, label, deviceId }) => kind === 'videoinput' && label && deviceId)
    .map(({ label, deviceId }) => ({ value: deviceId, name: label }));
  return [...facing, ...named];
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
  /** Whether people see themselves in it, and so as in a mirror. */
  isMirrored = true;

  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
  }

  /**
   * Ask for a camera, and start it.
   * @param {string} choice value of one of `cameraChoices`
   * @param {() => void} ended called when the camera goes away by itself
   */
  async start(choice, ended) {
    if (!navigator.mediaDevices) throw new Error('no mediaDevices');
    this.stop();
    const which = choice in FACING ? { facingMode: choice } : { deviceId: { exact: choice } };
    const constraints = {
      width: { ideal: 640 },
      height: { ideal: 480 },
      frameRate: { ideal: RATE },
      ...which,
    };
    const stream = await navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    this.#stream = stream;
    const [track] = stream.getVideoTracks();
    this.isMirrored = track?.getSettings().facingMode !== 'environment';
    for (const one of stream.getTracks()) one.addEventListener('ended', ended);
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
      const of = { source: 'camera', working: CAMERA_SIZE, frame, time, once: true };
      const { result } = await this.engine.detectFrame(bitmap, of);
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
 * Wait for an image that was not shown yet; no longer than a moment, where the browser tells of none.
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
