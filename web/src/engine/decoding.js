// Files and frames to pixels: upright, transparent parts on the background, as
// src/emotion_detection/images/. Runs where there is an OffscreenCanvas.

import { header, isHeic, ImageError, webpTurn } from './header.js';

/** @import {Pixels} from './types.js' */

/** Neither the screen's colours nor what alpha hides shall change a pixel. @type {ImageBitmapOptions} */
const AS_IT_IS = {
  colorSpaceConversion: 'none',
  imageOrientation: 'from-image',
  premultiplyAlpha: 'none',
};

/** @typedef {{image: Pixels, scale: number, notes: string[], thumbnail: ImageBitmap}} Decoded */

const THUMBNAIL = 96;

/**
 * Decode a file: large images smaller than they are, so that a browser has the memory for them.
 * @param {Blob} file
 * @param {{decoded: number, pixels: number, background: number}} settings
 * @returns {Promise<Decoded>} scale: pixels of the file's image per decoded pixel
 */
export async function decode(file, settings) {
  const { width, height, frames } = header(new Uint8Array(await file.arrayBuffer()), settings.pixels);
  const fraction = Math.min(1, Math.sqrt(settings.decoded / (width * height)));
  const bitmap = await decodeUpright(file, fraction < 1 ? Math.floor(Math.min(width, height) * fraction) : 0);
  const image = pixelsOf(bitmap, settings.background);
  const high = Math.max(1, Math.min(THUMBNAIL, bitmap.height));
  const thumbnail = await createImageBitmap(bitmap, { resizeHeight: high, resizeQuality: 'medium' });
  const scale = Math.min(width, height) / Math.min(bitmap.width, bitmap.height);
  bitmap.close();
  const notes = frames > 1 ? [`animated: only the first of ${frames} frames was read`] : [];
  return { image, scale, notes, thumbnail };
}

/** Transposition that makes an image of each EXIF orientation upright: across and down, of x and of y. */
const TURNS = [
  [1, 0, 0, 1],
  [-1, 0, 0, 1],
  [-1, 0, 0, -1],
  [1, 0, 0, -1],
  [0, 1, 1, 0],
  [0, 1, -1, 0],
  [0, -1, -1, 0],
  [0, -1, 1, 0],
];

/**
 * Decode a file, upright.
 * @param {Blob} file
 * @param {number} [shorter] pixels of the shorter side that it is shrunk to; 0: it is not shrunk
 * @returns {Promise<ImageBitmap>}
 */
export async function decodeUpright(file, shorter = 0) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const turn = webpTurn(bytes);
  // without its name no browser heeds the orientation, and it can be applied once
  if (turn) bytes.set([0x58, 0x58, 0x58, 0x58], turn.at);
  let bitmap;
  try {
    bitmap = await decodeShrunk(turn ? new Blob([bytes]) : file, bytes, shorter);
  } catch {
    throw new ImageError(
      isHeic(bytes)
        ? 'a HEIC photo, which this browser cannot decode (Safari can); save it as JPEG'
        : 'damaged: the browser cannot decode it',
    );
  }
  if (!turn) return bitmap;
  const [a, b, c, d] = TURNS[turn.orientation - 1];
  const { width, height } = bitmap;
  const canvas = a ? new OffscreenCanvas(width, height) : new OffscreenCanvas(height, width);
  const pen = canvas.getContext('2d');
  const [left, top] = [a + c < 0 ? canvas.width : 0, b + d < 0 ? canvas.height : 0];
  pen?.setTransform(a, b, c, d, left, top);
  pen?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.transferToImageBitmap();
}

/**
 * Decode a file, shrunk where that is asked for.
 * @param {Blob} file
 * @param {Uint8Array} bytes of the file
 * @param {number} shorter pixels; 0: it is not shrunk
 */
async function decodeShrunk(file, bytes, shorter) {
  if (!shorter) return createImageBitmap(file, AS_IT_IS);
  const { width, height } = header(bytes, Infinity);
  const side = width < height ? 'resizeWidth' : 'resizeHeight';
  const bitmap = await createImageBitmap(file, { ...AS_IT_IS, [side]: shorter, resizeQuality: 'high' });
  if (bitmap.width <= bitmap.height === width <= height) return bitmap;
  // turned by EXIF: what was named is its longer side, so that it became smaller than it need be
  bitmap.close();
  const other = side === 'resizeWidth' ? 'resizeHeight' : 'resizeWidth';
  return createImageBitmap(file, { ...AS_IT_IS, [other]: shorter, resizeQuality: 'high' });
}

/** @type {OffscreenCanvasRenderingContext2D | null} */
let drawing = null;

/**
 * Return the pixels of a bitmap.
 * @param {ImageBitmap} bitmap
 * @param {number} background grey level that transparent pixels are laid on
 * @returns {Pixels}
 */
export function pixelsOf(bitmap, background) {
  const { width, height } = bitmap;
  const canvas = drawing?.canvas;
  if (!drawing || canvas?.width !== width || canvas.height !== height) {
    drawing = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  }
  if (!drawing) throw new ImageError(`${width} x ${height} pixels: too large for this browser`);
  drawing.fillStyle = `rgb(${background} ${background} ${background})`;
  drawing.fillRect(0, 0, width, height);
  drawing.drawImage(bitmap, 0, 0);
  const { data } = drawing.getImageData(0, 0, width, height);
  return { width, height, data };
}
