// The ways in which images come: chosen, dropped, pasted, or samples to try.

import { byId, element, make } from './dom.js';
import { showStatus, words } from './status.js';

const SYNTHETIC = ['happiness', 'sadness', 'surprise', 'neutral'];
const SAMPLES = [
  { file: 'astronaut.jpg', alt: 'photo of an astronaut', caption: 'a photo' },
  { file: 'group.jpg', alt: 'twelve drawn faces', caption: 'a group' },
  { file: 'together.png', alt: 'four drawn faces', caption: 'four faces' },
  ...SYNTHETIC.map((name) => ({ file: `${name}.png`, alt: `drawn face: ${name}`, caption: name })),
];

/** @typedef {(files: {name: string, file: Blob}[]) => Promise<void> | undefined} Take */

/** Hand on each file that is given to the page. @param {Take} take */
export function takeFiles(take) {
  const takeAll = (/** @type {Iterable<File>} */ chosen) =>
    take([...chosen].map((file) => ({ name: file.name, file })));
  const files = byId('files', HTMLInputElement);
  files.addEventListener('change', async () => {
    await takeAll(files.files ?? []);
    files.value = '';
  });
  document.addEventListener('paste', (event) => takeAll(event.clipboardData?.files ?? []));
  for (const kind of ['dragenter', 'dragover']) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.add('over');
    });
  }
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) document.body.classList.remove('over');
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('over');
    takeAll(event.dataTransfer?.files ?? []);
  });
}

/** Offer samples. @param {Take} take */
export function offerSamples(take) {
  for (const { file, alt, caption } of SAMPLES) {
    const image = make('img', { src: `samples/${file}`, alt });
    const words = make('span', { 'aria-hidden': 'true' }, caption);
    const choice = make('button', { type: 'button' }, image, words);
    choice.addEventListener('click', () => takeSample(file, take));
    element('samples').querySelector('ul')?.append(make('li', {}, choice));
  }
}

/** @param {string} file @param {Take} take */
async function takeSample(file, take) {
  try {
    const response = await fetch(`samples/${file}`);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    await take([{ name: file, file: await response.blob() }]);
  } catch (error) {
    showStatus(`The sample could not be loaded: ${words(error)}`);
  }
}
