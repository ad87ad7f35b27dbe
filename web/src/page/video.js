// A video file, frame by frame, by the browser's own player.

import { ImageError } from '../engine/header.js';
import { Tracker } from '../engine/tracker.js';
import { make } from './dom.js';

/** @import {Result} from '../engine/types.js' */
/** @import {Engine} from './engine.js' */

/** Frames processed per second: scores are smoothed over half a second. */
const RATE = 5;
/** Frames of a video at most; those of a longer one lie farther apart. */
const MOST = 600;
const PATIENCE = 20_000;
const SUFFIX = /\.(3gp|avi|m4v|mkv|mov|mp4|mpe?g|ogv|webm|wmv)$/i;

/** Say whether a file is a video, by its type or its name. @param {{name: string, file: Blob}} chosen */
export const isVideo = ({ name, file }) =>
  file.type.startsWith('video/') || (!file.type.startsWith('image/') && SUFFIX.test(name));

/** A video that was opened; `close` frees it. */
export class VideoFile {
  #video = make('video', { preload: 'auto', playsinline: '' });
  duration = 0;

  /**
   * Open a video.
   * @param {Blob} file
   * @param {string} name
   * @throws {ImageError} the browser cannot play it
   */
  async open(file, name) {
    this.#video.muted = true;
    this.#video.src = URL.createObjectURL(file);
    try {
      await happened(this.#video, 'loadeddata');
      // what a browser recorded says no duration until its end was asked for
      if (!Number.isFinite(this.#video.duration)) {
        const end = happened(this.#video, 'seeked');
        this.#video.currentTime = 1e9;
        await end;
      }
      if (!this.#video.videoWidth) throw new Error('no image in it');
    } catch {
      this.close();
      throw new ImageError(
        `this browser cannot play it; 'emotion predict ${name}' in a terminal reads more kinds of videos`,
      );
    }
    const { duration, currentTime } = this.#video;
    this.duration = Number.isFinite(duration) ? duration : currentTime;
  }

  /** Return the times of the processed frames, in seconds. */
  times() {
    const count = Math.min(MOST, Math.max(1, Math.ceil(RATE * this.duration)));
    return Array.from({ length: count }, (_, k) => (k * this.duration) / count);
  }

  /** Return the frame at some time. @param {number} time in seconds */
  async frameAt(time) {
    const found = happened(this.#video, 'seeked');
    this.#video.currentTime = time;
    await found;
    return createImageBitmap(this.#video);
  }

  close() {
    URL.revokeObjectURL(this.#video.src);
    this.#video.removeAttribute('src');
    this.#video.load();
  }
}

/**
 * Wait for an event of a video.
 * @param {HTMLVideoElement} video
 * @param {string} name
 */
function happened(video, name) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const settle = (/** @type {() => void} */ how) => () => {
      over.abort();
      clearTimeout(waited);
      how();
    };
    const fail = (/** @type {string} */ why) => settle(() => reject(new Error(why)));
    const waited = setTimeout(fail('it does not answer'), PATIENCE);
    video.addEventListener(name, settle(() => resolve(undefined)), { signal: over.signal });
    video.addEventListener('error', fail('it cannot be played'), { signal: over.signal });
  });
}

/**
 * Detect, classify and follow the faces of a video.
 * @param {VideoFile} video
 * @param {string} source its name
 * @param {Engine} engine
 * @param {(frame: ImageBitmap, result: Result, fraction: number) => boolean} shown takes each frame, which
 *   is then its own to close; answers whether to go on
 */
export async function detectVideo(video, source, engine, shown) {
  const tracker = new Tracker();
  const times = video.times();
  for (const [frame, time] of times.entries()) {
    const bitmap = await video.frameAt(time);
    const copy = await createImageBitmap(bitmap);
    const { result } = await engine.detectFrame(bitmap, { source, frame, time, once: true });
    if (!shown(copy, tracker.update(result), (frame + 1) / times.length)) return;
  }
}
