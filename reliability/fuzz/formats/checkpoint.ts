import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Random } from '../../../lib/data/random.js';
import { bytesOf, type Format } from '../format.js';
import { damageJson } from '../json.js';
import { damageBytes, lie } from '../mutate.js';
import { kCheckpointRuns, start } from '../runs.js';
import { damageArchive } from './archive.js';
import { safetensorsOf, splitSafetensors } from './arrays.js';

export const kCheckpoint = 'run.ckpt';

interface Header {
  [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] };
}
interface Parts {
  metadata: { espalier: string; sha256: string };
  tensors: { name: string; dtype: string; shape: number[]; data: Buffer }[];
}

/** Checkpoints of runs: damaged as bytes, in the header, and in tree and tensors behind a right checksum. */
export const checkpoint: Format = {
  name: 'checkpoint',
  codes: [
    'ERR_CHECKPOINT_INVALID',
    'ERR_CHECKPOINT_MISMATCH',
    'ERR_MODEL_LOAD',
    'ERR_MODEL_UNSAFE',
    'ERR_MODEL_UNSUPPORTED',
    'ERR_MODEL_RUN',
    'ERR_DIVERGED',
    'ERR_LIMIT_EXCEEDED',
  ],
  async bases(folder) {
    const bases = [];
    for (const name of Object.keys(kCheckpointRuns)) {
      const file = path.join(folder, `${name}.ckpt`);
      await start(name, { checkpoint: { path: file, everySteps: 1, keep: 1 } });
      bases.push({ [kCheckpoint]: fs.readFileSync(file), name: Buffer.from(name) });
    }
    return bases;
  },
  mutate: (files, random) => ({
    ...files,
    [kCheckpoint]: damageCheckpoint(bytesOf(files, kCheckpoint), random),
  }),
};

function damageCheckpoint(bytes: Buffer, random: Random): Buffer {
  if (random.chance(0.1)) return damageBytes(bytes, random);
  const { header, data } = splitSafetensors(bytes);
  if (random.chance(0.1)) return safetensorsOf(damageJson(header, random), data);
  if (random.chance(0.05)) return lie(bytes, 0, 8, random);
  const parts = partsOf(header, data);
  for (let changes = 1 + random.below(2); changes > 0; changes--) {
    const kind = random.below(5);
    if (kind < 2 || parts.tensors.length === 0)
      parts.metadata.espalier = damageJson(parts.metadata.espalier, random);
    else damageTensor(parts, random);
  }
  if (random.chance(0.95)) parts.metadata.sha256 = checksum(parts);
  return assemble(parts);
}

function damageTensor({ tensors }: Parts, random: Random): void {
  // What holds a whole model is where most can go wrong.
  const models = tensors.filter(({ data }) => isArchive(data));
  const tensor = models.length > 0 && random.chance(0.5) ? random.pick(models) : random.pick(tensors);
  const kind = random.below(6);
  if (isArchive(tensor.data)) {
    tensor.data = damageArchive(tensor.data, random);
    tensor.shape = [tensor.data.length];
  } else if (kind === 0) tensors.splice(tensors.indexOf(tensor), 1);
  else if (kind === 1 && tensor.data.length > 0)
    tensor.data = damageBytes(tensor.data, random).subarray(0, tensor.data.length);
  else if (kind === 2)
    tensor.shape = random.pick([[], [0], [...tensor.shape, 1], [...tensor.shape].reverse()]);
  else if (kind === 3) tensor.dtype = random.pick(['F32', 'I32', 'U8', 'I64', 'F64', 'F16', 'BOOL']);
  else if (kind === 4) Object.assign(tensor, { ...random.pick(tensors), name: tensor.name });
  else tensor.name += random.pick(['x', '/', '']);
  const width = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2 }[tensor.dtype] ?? 1;
  const wanted = tensor.shape.reduce((product, size) => product * size, width);
  // Bytes that fit what is declared, so that more than the first comparison is reached.
  if (random.chance(0.9))
    tensor.data = Buffer.concat([tensor.data, Buffer.alloc(wanted)]).subarray(0, wanted);
}

const isArchive = (data: Buffer) => data.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1'));

function partsOf(header: string, data: Buffer): Parts {
  const { __metadata__: metadata, ...entries } = JSON.parse(header) as Header & { __metadata__: unknown };
  const tensors = Object.entries(entries as Header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => ({
      name,
      dtype,
      shape,
      data: Buffer.from(data.subarray(begin, end)),
    }),
  );
  return { metadata: metadata as unknown as Parts['metadata'], tensors };
}

// As the writer sums: the tree, then name and bytes of each tensor in the order of their names.
function checksum({ metadata, tensors }: Parts): string {
  const hash = createHash('sha256').update(metadata.espalier);
  const sorted = [...tensors].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  for (const { name, data } of sorted) hash.update(name).update(data);
  return hash.digest('hex');
}

function assemble({ metadata, tensors }: Parts): Buffer {
  let at = 0;
  const entries = tensors.map(({ name, dtype, shape, data }) => {
    const begin = at;
    at += data.length;
    return [name, { dtype, shape, data_offsets: [begin, at] }];
  });
  const header = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  return safetensorsOf(header, Buffer.concat(tensors.map(({ data }) => data)));
}
