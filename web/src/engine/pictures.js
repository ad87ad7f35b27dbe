// Files and frames to pixels: upright, transparent parts on the background, as
// src/emotion_detection/images.py. Runs where there is an OffscreenCanvas.

import { header, PictureError, webpTurn } from './header.js';

/** @import {Picture} from './types.js' */

/** Neither the screen's colours nor what alpha hides shall change a pixel. @type {ImageBitmapOptions} */
const AS_IT_IS = {
  colorSpaceConversion: 'none',
  imageOrientation: 'from-image',
  premultiplyAlpha: 'none',
};

/**
 * Decode a file.
 * @param {Blob} file
 * @param {{pixels: number, background: number}} settings
 * @returns {Promise<{picture: Picture, notes: string[]}>}
 */
export async function decode(file, settings) {
  const { frames } = header(new Uint8Array(await file.arrayBuffer()), settings.pixels);
  const bitmap = await upright(file);
  const picture = pixelsOf(bitmap, settings.background);
  bitmap.close();
  const note = `animated: only the first of ${frames} frames was looked at`;
  return { picture, notes: frames > 1 ? [note] : [] };
}

/** What brings a picture of each EXIF orientation upright: across and down, of x and of y. */
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
 * @returns {Promise<ImageBitmap>}
 */
export async function upright(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const turn = webpTurn(bytes);
  // without its name no browser heeds the orientation, and it can be applied once
  if (turn) bytes.set([0x58, 0x58, 0x58, 0x58], turn.at);
  let bitmap;
  try {
    bitmap = await createImageBitmap(turn ? new Blob([bytes]) : file, AS_IT_IS);
  } catch {
    throw new PictureError('damaged: the browser cannot decode it');
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

/** @type {OffscreenCanvasRenderingContext2D | null} */
let drawing = null;

/**
 * Return the pixels of a bitmap.
 * @param {ImageBitmap} bitmap
 * @param {number} background grey level that transparent pixels are laid on
 * @returns {Picture}
 */
export function pixelsOf(bitmap, background) {
  const { width, height } = bitmap;
  const canvas = drawing?.canvas;
  if (!drawing || canvas?.width !== width || canvas.height !== height) {
    drawing = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  }
  if (!drawing) throw new PictureError(`${width} x ${height} pixels: too large for this browser`);
  drawing.fillStyle = `rgb(${background} ${background} ${background})`;
  drawing.fillRect(0, 0, width, height);
  drawing.drawImage(bitmap, 0, 0);
  const { data } = drawing.getImageData(0, 0, width, height);
  return { width, height, data };
}
