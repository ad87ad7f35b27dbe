// Scores averaged over views of a face, and the prior of classes: the same arithmetic as
// src/emotion_detection/views.py and postprocessing.py.

import { align, mirrorCrop } from './align.js';

/** @import {About, FoundFace, Pixels} from './types.js' */

/**
 * Cut out the views of each face: the face, its mirror image, and both enlarged.
 * @param {Pixels} image
 * @param {FoundFace[]} faces
 * @param {About} about
 * @param {number} views 1, 2 or 4
 * @returns {Uint8Array[][]} for each view, the crops (size, size, channels) of all faces
 */
export function cutViews(image, faces, { input, margin, zoom }, views) {
  const shown = (views === 4 ? [1, zoom] : [1]).map((closer) =>
    faces.map((face) => align(image, face, input, margin / closer)),
  );
  if (views === 1) return shown;
  return shown.flatMap((crops) => [crops, crops.map((crop) => mirrorCrop(crop, input))]);
}

/**
 * Combine the scores of the views of one face.
 * @param {number[][]} views scores of each view; each sum to 1
 * @param {About} about
 * @returns {number[]} they sum to 1
 */
export function combineScores(views, { label_set, prior, readouts }) {
  const readout = readouts[label_set];
  const temperature = readout.temperatures[String(views.length)] ?? 1;
  if (views.length === 1 && temperature === 1 && prior === 'natural') return views[0];
  const logits = views[0].map((_, place) => {
    const mean = views.reduce((sum, scores) => sum + scores[place], 0) / views.length;
    const logit = Math.log(mean + 1e-30) / temperature;
    if (prior === 'natural') return logit;
    return logit - (1 - readout.adjustment) * Math.log(readout.prior[place]);
  });
  const most = Math.max(...logits);
  const raised = logits.map((logit) => Math.exp(logit - most));
  const sum = raised.reduce((one, other) => one + other, 0);
  return raised.map((value) => value / sum);
}
