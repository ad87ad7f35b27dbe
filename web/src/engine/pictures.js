// Files and frames to pixels: upright, transparent parts on the background, as
// src/emotion_detection/images.py. Runs where there is an OffscreenCanvas.

import { header, PictureError } from './header.js';

/** @import {Picture} from './types.js' */

/** Neither the screen's colours nor what alpha hides shall change a pixel. @type {ImageBitmapOptions} */
export const AS_IT_IS = {
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
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, AS_IT_IS);
  } catch {
    throw new PictureError('damaged: the browser cannot decode it');
  }
  const picture = pixelsOf(bitmap, settings.background);
  bitmap.close();
  const note = `animated: only the first of ${frames} frames was looked at`;
  return { picture, notes: frames > 1 ? [note] : [] };
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
