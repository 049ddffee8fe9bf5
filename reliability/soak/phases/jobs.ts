import { Random } from '../../../lib/data/random.js';
import type { Domain } from '../../../lib/domain.js';
import { accuracy } from '../../../lib/evaluate/accuracy.js';
import type { Model } from '../../../lib/model.js';
import { magnitude } from '../../../lib/prune/magnitude.js';
import { supervised } from '../../../lib/train/supervised.js';
import { tinyDomain, tinyModel } from '../../../test/support/tiny.js';
import { repeat, type Work } from '../measure.js';

/** Small jobs of several kinds, one after another; what they return is disposed. */
export async function jobs(work: Work) {
  const random = new Random(`soak/jobs/${work.seed}`);
  const domain = await tinyDomain(64);
  const model = await tinyModel();
  return repeat(work, async () => {
    const made = await job(model, domain, random);
    await made?.dispose();
  });
}

async function job(model: Model, domain: Domain, random: Random): Promise<Model | undefined> {
  const seed = random.below(1000);
  const kind = random.below(3);
  if (kind === 0) await accuracy(model, { domain });
  if (kind === 0) return undefined;
  if (kind === 1) return (await magnitude(model, { sparsity: random.uniform(0.1, 0.9), seed })).model;
  const batchSize = random.pick([8, 16, 32]);
  return (await supervised(model, { domain, epochs: 1 + random.below(2), batchSize, seed })).model;
}
