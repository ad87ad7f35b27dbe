// The ways in which pictures come: chosen, dropped, pasted, or drawn faces to try.

import { byId, element, make } from './dom.js';
import { say, words } from './status.js';

const SAMPLES = ['happiness', 'sadness', 'surprise', 'neutral', 'together'];

/** @typedef {(pictures: {name: string, file: Blob}[]) => Promise<void> | undefined} Take */

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

/** Offer drawn faces. @param {Take} take */
export function offerSamples(take) {
  for (const name of SAMPLES) {
    const file = `samples/${name}.png`;
    const alt = name === 'together' ? 'four drawn faces' : `drawn face: ${name}`;
    const choice = make('button', { type: 'button' }, make('img', { src: file, alt }));
    choice.addEventListener('click', async () => {
      try {
        const response = await fetch(file);
        if (!response.ok) throw new Error(`the server answers ${response.status}`);
        await take([{ name: `${name}.png`, file: await response.blob() }]);
      } catch (error) {
        say(`The drawn face could not be loaded: ${words(error)}`);
      }
    });
    element('samples').querySelector('ul')?.append(make('li', {}, choice));
  }
}
