// Where labels go in an image: never over a face, never over one another. As
// src/emotion_detection/inference/label_places.py, but labels take turns, and one that finds no
// room is left out: its face is still in the list beside the image.

/** @import {Area} from '../engine/types.js' */

const TURNS = 4;
/** Faces that are too many to let their labels choose anew while somebody waits. */
const MANY = 40;
const SHRUNK = [1, 0.9, 0.8];
export const PAD = 0.4;
const HIGH = 1.5;
/** Pixels that count as nothing: coordinates are not whole numbers. */
const NOTHING = 1e-6;

/**
 * @typedef {object} Layout
 * @property {number} wording place of the chosen wording
 * @property {number} text size in pixels
 * @property {(Area | null)[]} areas of the labels, in the order of the faces; null: left out
 */

/**
 * Return the richest labels that all find room, else the poorest, some of them left out. All are
 * alike: first the text shrinks, then the wording becomes shorter.
 * @param {[number, number]} size of the image
 * @param {Area[]} boxes of the faces
 * @param {number} text its best size
 * @param {number[][]} wordings widths of all labels at that size; the longest wording first
 * @returns {Layout}
 */
export function layout(size, boxes, text, wordings) {
  /** @type {Layout} */
  let best = { wording: 0, text, areas: [] };
  let most = -1;
  for (const [wording, widths] of wordings.entries()) {
    for (const fraction of SHRUNK) {
      const high = HIGH * text * fraction;
      const sizes = widths.map((wide) => /** @type {[number, number]} */ ([fraction * (wide + 2 * PAD * text), high]));
      const areas = placed(size, boxes, sizes);
      const room = areas.filter(Boolean).length;
      if (room === boxes.length) return { wording, text: text * fraction, areas };
      if (room >= most) [most, best] = [room, { wording, text: text * fraction, areas }];
    }
  }
  return best;
}

/**
 * Put each label beside its face. One that finds no room after others chooses before them next time.
 * @param {[number, number]} size
 * @param {Area[]} boxes
 * @param {[number, number][]} labels
 */
function placed(size, boxes, labels) {
  const places = boxes.map((box, k) =>
    around(box, labels[k], size).filter((area) => boxes.every((other) => !overlaps(area, other))),
  );
  // those with the least choice go first
  let order = [...boxes.keys()].sort((one, other) => places[one].length - places[other].length);
  /** @type {(Area | null)[]} */
  let best = boxes.map(() => null);
  const turns = boxes.length > MANY ? 1 : TURNS;
  for (let turn = 0; turn < turns; turn += 1) {
    const areas = inTurn(places, order);
    if (areas.filter(Boolean).length > best.filter(Boolean).length) best = areas;
    if (best.every(Boolean)) break;
    order = [...order].sort((one, other) => Number(!areas[other]) - Number(!areas[one]));
  }
  return best;
}

/**
 * @param {Area[][]} places where each label may go, the best first
 * @param {number[]} order who chooses first
 */
function inTurn(places, order) {
  /** @type {(Area | null)[]} */
  const areas = places.map(() => null);
  /** @type {Area[]} */
  const taken = [];
  for (const k of order) {
    const free = places[k].find((area) => taken.every((other) => !overlaps(area, other)));
    if (!free) continue;
    areas[k] = free;
    taken.push(free);
  }
  return areas;
}

/**
 * Return where a label may go, the best first, within the image.
 * @param {Area} box
 * @param {[number, number]} label
 * @param {[number, number]} size
 */
function around([x, y, wide, high], [long, tall], size) {
  const gap = tall / 6;
  const [above, below] = [y - tall - gap, y + high + gap];
  const [right, bottom, middle] = [x + wide - long, y + high - tall, x + (wide - long) / 2];
  const [after, before, centre] = [x + wide + gap, x - long - gap, y + (high - tall) / 2];
  const ways = [
    ...[[x, above], [x, below], [right, above], [right, below], [middle, above], [middle, below]],
    ...[[after, y], [before, y], [after, bottom], [before, bottom], [after, centre], [before, centre]],
    ...[[after, above], [before, above], [after, below], [before, below]],
  ];
  const inside = ways.map(([left, top]) => /** @type {Area} */ ([
    Math.min(Math.max(left, 0), Math.max(size[0] - long, 0)),
    Math.min(Math.max(top, 0), Math.max(size[1] - tall, 0)),
    long,
    tall,
  ]));
  return long > size[0] || tall > size[1] ? [] : inside;
}

/** Return true where two areas overlap by more than an edge. @param {Area} a @param {Area} b */
function overlaps(a, b) {
  const wide = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const high = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  return wide > NOTHING && high > NOTHING;
}
