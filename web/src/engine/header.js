// The header of an image file, read before anything is decoded: as
// src/emotion_detection/images/, for the formats that browsers decode.

/** An image that cannot be read; the message says why. */
export class ImageError extends Error {}

/** @typedef {{width: number, height: number, frames: number}} Header */

/** One reader for each format: null where the file is of another. */
const READERS = [png, webp, jpeg, gif, bmp, heif];

const FORMATS = 'JPEG, PNG, WebP, GIF, BMP or AVIF';

/**
 * Read the size of an image, upright or not, and how many frames it has.
 * @param {Uint8Array} bytes the whole file
 * @param {number} pixels the most that are allowed
 * @returns {Header}
 */
export function header(bytes, pixels) {
  if (!bytes.length) throw new ImageError('empty: 0 bytes');
  const found = READERS.reduce((/** @type {Header | null} */ made, read) => made ?? read(bytes), null);
  if (!found) throw new ImageError(unknown(bytes));
  if (!found.width || !found.height) throw new ImageError('damaged: it says no size');
  if (found.width * found.height > pixels) {
    throw new ImageError(
      `${found.width} x ${found.height} pixels: more than ${pixels / 1e6} megapixels; make it smaller`,
    );
  }
  return found;
}

/**
 * Describe a file that is in no known format.
 * @param {Uint8Array} bytes
 */
function unknown(bytes) {
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((start) => matches(bytes, 0, start))) {
    return 'a TIFF image, which browsers do not decode; save it as JPEG or PNG';
  }
  if (bytes[0] === 0x50 && bytes[1] >= 0x31 && bytes[1] <= 0x36 && bytes[2] <= 0x20) {
    return 'a PBM, PGM or PPM image, which browsers do not decode; save it as JPEG or PNG';
  }
  if (matches(bytes, 4, 'jP  ') || matches(bytes, 0, '\xff\x4f\xff\x51')) {
    return 'a JPEG 2000 image, which browsers do not decode; save it as JPEG or PNG';
  }
  return `not a ${FORMATS} image`;
}

/** @param {Uint8Array} bytes */
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @param {Uint8Array} bytes @param {number} at @param {string} text */
const matches = (bytes, at, text) => [...text].every((c, k) => bytes[at + k] === c.charCodeAt(0));

/** @param {Uint8Array} bytes @returns {Header | null} */
function png(bytes) {
  if (!matches(bytes, 0, '\x89PNG\r\n\x1a\n') || bytes.length < 33) return null;
  const numbers = view(bytes);
  let frames = 1;
  let ended = false;
  for (let at = 8; at + 12 <= bytes.length && !ended; at += 12 + numbers.getUint32(at)) {
    if (matches(bytes, at + 4, 'acTL')) frames = numbers.getUint32(at + 8);
    ended = matches(bytes, at + 4, 'IEND');
  }
  // browsers show the half of a file that is there
  if (!ended) throw new ImageError('truncated: its end is missing');
  return { width: numbers.getUint32(16), height: numbers.getUint32(20), frames };
}

/** @param {Uint8Array} bytes @returns {Header | null} */
function webp(bytes) {
  if (!matches(bytes, 0, 'RIFF') || !matches(bytes, 8, 'WEBP') || bytes.length < 30) return null;
  const numbers = view(bytes);
  if (numbers.getUint32(4, true) + 8 > bytes.length) {
    throw new ImageError('truncated: its end is missing');
  }
  if (matches(bytes, 12, 'VP8 ')) {
    const [width, height] = [26, 28].map((at) => numbers.getUint16(at, true) & 0x3fff);
    return { width, height, frames: 1 };
  }
  if (matches(bytes, 12, 'VP8L')) {
    const sides = numbers.getUint32(21, true);
    return { width: (sides & 0x3fff) + 1, height: ((sides >> 14) & 0x3fff) + 1, frames: 1 };
  }
  const frames = [...chunks(bytes)].filter((at) => matches(bytes, at, 'ANMF')).length;
  const [width, height] = [24, 27].map((at) => 1 + (numbers.getUint32(at - 1, true) >>> 8));
  return { width, height, frames: Math.max(frames, 1) };
}

/** Yield where the chunks of a WebP begin. @param {Uint8Array} bytes */
function* chunks(bytes) {
  for (let at = 12; at + 8 <= bytes.length; ) {
    yield at;
    const length = view(bytes).getUint32(at + 4, true);
    at += 8 + length + (length % 2);
  }
}

/**
 * Return where a WebP holds EXIF data, and the orientation that it says: 1 to 8. Browsers differ in
 * whether they heed it; for JPEG and PNG they all do.
 * @param {Uint8Array} bytes
 * @returns {{at: number, orientation: number} | null}
 */
export function webpTurn(bytes) {
  if (!matches(bytes, 0, 'RIFF') || !matches(bytes, 8, 'WEBP')) return null;
  const at = [...chunks(bytes)].find((place) => matches(bytes, place, 'EXIF'));
  if (at === undefined) return null;
  const start = at + 8 + (matches(bytes, at + 8, 'Exif\0\0') ? 6 : 0);
  const little = matches(bytes, start, 'II');
  const numbers = view(bytes);
  try {
    const list = start + numbers.getUint32(start + 4, little);
    for (let k = 0, entry = list + 2; k < numbers.getUint16(list, little); k++, entry += 12) {
      if (numbers.getUint16(entry, little) !== 0x0112) continue;
      const orientation = numbers.getUint16(entry + 8, little);
      if (orientation > 1 && orientation <= 8) return { at, orientation };
    }
  } catch {
    // damaged: the pixels are not affected
  }
  return null;
}

/** @param {Uint8Array} bytes @returns {Header | null} */
function jpeg(bytes) {
  if (!matches(bytes, 0, '\xff\xd8\xff')) return null;
  const numbers = view(bytes);
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    // the frame headers, without the tables that stand among their numbers
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: numbers.getUint16(at + 5), width: numbers.getUint16(at + 7), frames: 1 };
    }
    at += marker === 0xff ? 1 : 2 + numbers.getUint16(at + 2);
  }
  throw new ImageError('damaged: it says no size');
}

/** @param {Uint8Array} bytes @returns {Header | null} */
function gif(bytes) {
  if (!matches(bytes, 0, 'GIF8') || bytes.length < 13) return null;
  const numbers = view(bytes);
  const [width, height] = [6, 8].map((at) => numbers.getUint16(at, true));
  const table = (/** @type {number} */ flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let frames = 0;
  for (let at = 13 + table(bytes[10]); at < bytes.length; ) {
    if (bytes[at] === 0x2c) {
      frames++;
      at = blocksEnd(bytes, at + 11 + table(bytes[at + 9]));
    } else if (bytes[at] === 0x21) at = blocksEnd(bytes, at + 2);
    else break;
  }
  return { width, height, frames: Math.max(frames, 1) };
}

/** Return where a chain of a GIF's data blocks ends. @param {Uint8Array} bytes @param {number} at */
function blocksEnd(bytes, at) {
  while (bytes[at]) at += 1 + bytes[at];
  return at + 1;
}

/** @param {Uint8Array} bytes @returns {Header | null} */
function bmp(bytes) {
  if (!matches(bytes, 0, 'BM') || bytes.length < 26) return null;
  const numbers = view(bytes);
  // the oldest header has two bytes a side; later ones four, where a negative height turns rows over
  const sides =
    numbers.getUint32(14, true) === 12
      ? [18, 20].map((at) => numbers.getUint16(at, true))
      : [18, 22].map((at) => Math.abs(numbers.getInt32(at, true)));
  return { width: sides[0], height: sides[1], frames: 1 };
}

const HEIF_BRANDS = ['avif', 'avis', 'heic', 'heix', 'hevc', 'mif1', 'msf1'];

/**
 * AVIF and HEIC: boxes, of which `ispe` says a size; the image is the largest of them.
 * @param {Uint8Array} bytes
 * @returns {Header | null}
 */
function heif(bytes) {
  if (!matches(bytes, 4, 'ftyp') || !HEIF_BRANDS.some((brand) => matches(bytes, 8, brand))) return null;
  const numbers = view(bytes);
  let [width, height] = [0, 0];
  for (let at = 12; at + 16 <= bytes.length; at++) {
    if (bytes[at] !== 0x69 || !matches(bytes, at, 'ispe')) continue;
    const sides = [8, 12].map((after) => numbers.getUint32(at + after));
    if (sides[0] * sides[1] > width * height) [width, height] = sides;
  }
  return { width, height, frames: 1 };
}

/** Say whether a file is a HEIC image, as iPhones write them. @param {Uint8Array} bytes */
export const isHeic = (bytes) =>
  matches(bytes, 4, 'ftyp') && HEIF_BRANDS.slice(2).some((brand) => matches(bytes, 8, brand));
