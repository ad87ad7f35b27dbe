// Where names go in a picture, so that they hide neither faces nor one another: as
// src/emotion_detection/inference/label_places.py puts labels, but names take turns.

/** @import {Area} from '../engine/types.js' */

/** Share of a face that a name may hide: where a face fills the picture, it must hide some. */
const HIDDEN = 0.1;
const OVERLAP = 0.2;
const TURNS = 4;
/** Faces that are too many to let their names choose anew while somebody waits. */
const MANY = 40;
const SHRUNK = [1, 0.9, 0.8];
export const PAD = 0.4;
const HIGH = 1.5;

/**
 * Return the richest names that hide little, else those that hide least. All are alike: first the
 * text shrinks, then they are worded shorter.
 * @param {[number, number]} size of the picture
 * @param {Area[]} boxes of the faces
 * @param {number} text its best size
 * @param {number[][]} wordings widths of all names at that size; the longest wording first
 * @returns {{wording: number, text: number, areas: Area[]}} areas: of the names, in the order of the faces
 */
export function layout(size, boxes, text, wordings) {
  let least = Infinity;
  let best = { wording: 0, text, areas: /** @type {Area[]} */ ([]) };
  for (const [wording, widths] of wordings.entries()) {
    for (const share of SHRUNK) {
      const high = HIGH * text * share;
      const sizes = widths.map((wide) => /** @type {[number, number]} */ ([share * (wide + 2 * PAD * text), high]));
      const { areas, costs } = placed(size, boxes, sizes);
      const sum = total(costs);
      if (sum < least) [least, best] = [sum, { wording, text: text * share, areas }];
      if (costs.every((one) => one <= HIDDEN)) return best;
    }
  }
  return best;
}

/**
 * Put each name beside its face. One that finds no room after others chooses before them next time.
 * @param {[number, number]} size
 * @param {Area[]} boxes
 * @param {[number, number][]} names
 */
function placed(size, boxes, names) {
  let order = [...boxes.keys()];
  let least = Infinity;
  let best = { areas: /** @type {Area[]} */ ([]), costs: /** @type {number[]} */ ([]) };
  const turns = boxes.length > MANY ? 1 : TURNS;
  for (let turn = 0; turn < turns && least > 0; turn += 1) {
    const areas = inTurn(size, boxes, names, order);
    const costs = areas.map((area, k) => cost(area, size, boxes, areas.filter((_, other) => other !== k)));
    const sum = total(costs);
    if (sum < least) [least, best] = [sum, { areas, costs }];
    order = [...order].sort((one, other) => costs[other] - costs[one]);
  }
  return best;
}

/**
 * @param {[number, number]} size
 * @param {Area[]} boxes
 * @param {[number, number][]} names
 * @param {number[]} order who chooses first
 */
function inTurn(size, boxes, names, order) {
  /** @type {Area[]} */
  const areas = Array(boxes.length);
  /** @type {Area[]} */
  const taken = [];
  for (const k of order) {
    const ways = around(boxes[k], names[k], size);
    const costs = ways.map((area) => cost(area, size, boxes, taken));
    areas[k] = ways[costs.indexOf(Math.min(...costs))];
    taken.push(areas[k]);
  }
  return areas;
}

/**
 * Return where a name may go, the best first, within the picture.
 * @param {Area} box
 * @param {[number, number]} name
 * @param {[number, number]} size
 */
function around([x, y, wide, high], [long, tall], size) {
  const gap = tall / 6;
  const [above, below] = [y - tall - gap, y + high + gap];
  const [right, bottom, middle] = [x + wide - long, y + high - tall, x + (wide - long) / 2];
  const [after, before] = [x + wide + gap, x - long - gap];
  const ways = [
    ...[[x, above], [x, below], [right, above], [right, below], [middle, above], [middle, below]],
    ...[[after, y], [before, y], [after, bottom], [before, bottom]],
    ...[[after, above], [before, above], [after, below], [before, below]],
    ...[[x, bottom], [x, y]],
  ];
  return ways.map(([left, top]) => /** @type {Area} */ ([
    Math.min(Math.max(left, 0), Math.max(size[0] - long, 0)),
    Math.min(Math.max(top, 0), Math.max(size[1] - tall, 0)),
    long,
    tall,
  ]));
}

/**
 * Return how much a name hides: 0 nothing, 1 a whole face.
 * @param {Area} area
 * @param {[number, number]} size
 * @param {Area[]} boxes
 * @param {Area[]} others names
 */
function cost(area, size, boxes, others) {
  const own = area[2] * area[3];
  const cut = own - shared(area, [0, 0, ...size]);
  const hidden = boxes.reduce((sum, box) => sum + shared(area, box) / (box[2] * box[3]), 0);
  const lost = others.reduce((sum, other) => sum + shared(area, other), cut);
  // a letter that is lost may be the one that matters
  return hidden + (lost > own / 1e6 ? OVERLAP + (3 * lost) / own : 0);
}

/** @param {number[]} costs */
const total = (costs) => costs.reduce((sum, one) => sum + one, 0);

/** @param {Area} a @param {Area} b */
function shared(a, b) {
  const wide = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const high = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  return Math.max(wide, 0) * Math.max(high, 0);
}
