import { createHash } from 'node:crypto';
import { Dataset, Domain } from '../../lib/index.js';

const kSize = 32;
const kClasses = 10;

// Domains of the same images: as they are, inverted, darker, and that inverted.
const kLooks = [
  { name: 'stripes', show: (value: number) => value },
  { name: 'inverted', show: (value: number) => 255 - value },
  { name: 'dark', show: (value: number) => value >> 1 },
  { name: 'pale', show: (value: number) => 255 - (value >> 1) },
];
export const looks = kLooks.length;

/** Stripes whose direction and spacing say the class: the same bytes as bench/pytorch makes. */
export async function stripes(
  count: number,
  look = 0,
): Promise<{ domain: Domain; digest: string; data: Uint8Array }> {
  const { name, show } = kLooks[look] as (typeof kLooks)[number];
  const data = new Uint8Array(count * 3 * kSize * kSize);
  const labels: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const label = i % kClasses;
    labels.push(label);
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < kSize; y++) {
        for (let x = 0; x < kSize; x++) {
          data[at++] = show(((x * (label + 1) + y * (label * 2 + 1) + c * 7 + ((i * 31) % 17)) % 23) * 11);
        }
      }
    }
  }
  const all = await Dataset.from({ data, shape: [count, 3, kSize, kSize], labels, classes: kClasses });
  const domain = await Domain.open({ name, fit: all, select: all, report: all });
  return { domain, data, digest: createHash('sha256').update(data).digest('hex') };
}
