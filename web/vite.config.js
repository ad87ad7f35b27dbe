import { existsSync, readFileSync } from 'node:fs';

import { marked } from 'marked';
import { defineConfig } from 'vite';

const policy = new URL('../USE_POLICY.md', import.meta.url);
const template = new URL('policy.html', import.meta.url);

/** Render the use policy beside the page, which links to it. @type {import('vite').Plugin} */
const usePolicy = {
  name: 'use-policy',
  generateBundle() {
    if (!existsSync(policy)) this.error('USE_POLICY.md is missing beside web/');
    // the project's licence is no file beside the page; that of its parts is. Nor are the docs
    const text = readFileSync(policy, 'utf8')
      .replaceAll('](LICENSE)', '](licences.txt)')
      .replaceAll(/\[([^\]]+)\]\(docs\/[^)]+\)/g, '$1');
    const content = /** @type {string} */ (marked.parse(text, { async: false }));
    const source = readFileSync(template, 'utf8').replace('<!-- content -->', () => content);
    this.emitFile({ type: 'asset', fileName: 'use-policy.html', source });
  },
};

export default defineConfig({
  // relative addresses alone: the page works below any path
  base: './',
  build: {
    outDir: '../src/emotion_detection/serving/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  worker: { format: 'es' },
  // the variant without a copy of the loader inside, so that there is one of it
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', 'browser', 'import', 'module'] },
  plugins: [usePolicy],
});
