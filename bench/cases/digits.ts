import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findSample } from '../../lib/data/find.js';
import { Dataset, Domain, type Model } from '../../lib/index.js';
import { fromPython } from '../reproduce/reproduction.js';

const kFit = 4096;
const kSelect = 1024;
const [kDigit, kSize, kMargin] = [28, 32, 2];

/** Source and target, the same bytes as bench/pytorch/digits.py has, and what they are started with. */
export async function digits(net: string, threads: number) {
  const [source, target] = [await samples('mnist', 1), await samples('mnist-m', 3)];
  const digest = createHash('sha256').update(source.data).update(target.data).digest('hex');
  return {
    source: await domain('mnist', source),
    target: await domain('mnist-m', target),
    model: await trained(net, threads),
    digest,
  };
}

interface Samples {
  data: Uint8Array;
  labels: number[];
}

/** 3 x 32 x 32, of digits with one channel or three. */
async function samples(name: string, channels: number): Promise<Samples> {
  const { folder } = await findSample(name);
  const count = kFit + kSelect;
  const images = readNpy(path.join(folder, 'fit-images.npy'), count * channels * kDigit * kDigit);
  const data = new Uint8Array(count * 3 * kSize * kSize);
  for (let plane = 0; plane < count * 3; plane++) {
    const of = channels === 3 ? plane : Math.floor(plane / 3);
    for (let y = 0; y < kDigit; y++) {
      const row = images.subarray((of * kDigit + y) * kDigit, (of * kDigit + y + 1) * kDigit);
      data.set(row, (plane * kSize + y + kMargin) * kSize + kMargin);
    }
  }
  return { data, labels: [...readNpy(path.join(folder, 'fit-labels.npy'), count)] };
}

/** The first bytes of an array of bytes. */
function readNpy(file: string, length: number): Uint8Array {
  const kLengthAt = 8;
  const kPrefix = 10;
  const handle = fs.openSync(file, 'r');
  try {
    const prefix = Buffer.alloc(kPrefix);
    fs.readSync(handle, prefix, 0, kPrefix, 0);
    const bytes = new Uint8Array(length);
    fs.readSync(handle, bytes, 0, length, kPrefix + prefix.readUInt16LE(kLengthAt));
    return bytes;
  } finally {
    fs.closeSync(handle);
  }
}

async function domain(name: string, { data, labels }: Samples): Promise<Domain> {
  const pixels = 3 * kSize * kSize;
  const part = (from: number, to: number) =>
    Dataset.from({
      data: data.subarray(from * pixels, to * pixels),
      shape: [to - from, 3, kSize, kSize],
      labels: labels.slice(from, to),
      classes: 10,
    });
  return await Domain.open({ name, fit: await part(0, kFit), select: await part(kFit, kFit + kSelect) });
}

async function trained(net: string, threads: number): Promise<Model> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
  try {
    return await fromPython('trained-net', folder, net, threads);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
