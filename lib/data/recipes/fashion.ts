import { gunzipSync } from 'node:zlib';
import type { Recipe } from '../recipe.js';
import { readRole } from './mnist.js';

export const fashion: Recipe = {
  name: 'fashion',
  version: 1,
  shape: [1, 28, 28],
  classNames: [
    'T-shirt',
    'trouser',
    'pullover',
    'dress',
    'coat',
    'sandal',
    'shirt',
    'sneaker',
    'bag',
    'ankle boot',
  ],
  source: 'Fashion-MNIST (Xiao, Rasul, Vollgraf; Zalando), the Debian package dataset-fashion-mnist',
  licence: 'MIT',
  recipe: 'the training set as fit, the test set as report, unchanged',
  make: ({ limit, fromDebian, step }) =>
    step('reads 70,000 pictures of clothes', async () => {
      const read = async (file: string) => gunzipSync(await fromDebian(`${file}.gz`));
      return { fit: await readRole('train', limit, read), report: await readRole('t10k', limit, read) };
    }),
};
