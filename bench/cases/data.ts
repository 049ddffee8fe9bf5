import { createHash } from 'node:crypto';
import { Dataset, Domain } from '../../lib/index.js';

const kSize = 32;

/**
 * Stripes whose direction and spacing say the class: the same bytes as bench/pytorch/common.py makes; inverted, another
 * domain.
 */
export async function stripes(
  count: number,
  { classes = 10, inverted = false } = {},
): Promise<{ domain: Domain; digest: string }> {
  const data = new Uint8Array(count * 3 * kSize * kSize);
  const labels: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const label = i % classes;
    labels.push(label);
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < kSize; y++) {
        for (let x = 0; x < kSize; x++) {
          const value = ((x * (label + 1) + y * (label * 2 + 1) + c * 7 + ((i * 31) % 17)) % 23) * 11;
          data[at++] = inverted ? 255 - value : value;
        }
      }
    }
  }
  const all = await Dataset.from({ data, shape: [count, 3, kSize, kSize], labels, classes });
  const domain = await Domain.open({
    name: inverted ? 'inverted' : 'stripes',
    fit: all,
    select: all,
    report: all,
  });
  return { domain, digest: createHash('sha256').update(data).digest('hex') };
}
