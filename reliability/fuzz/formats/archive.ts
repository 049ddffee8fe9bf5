import fs from 'node:fs';
import path from 'node:path';
import type { Random } from '../../../lib/data/random.js';
import { Model } from '../../../lib/model.js';
import { damageCode } from '../code.js';
import { bytesOf, type Format } from '../format.js';
import { damageJson } from '../json.js';
import { damageBytes, edge, lie } from '../mutate.js';
import { damagePickle } from '../pickle.js';
import { readZip, writeZip, type ZipRecord } from '../zip.js';

const kFile = 'model.pt';
const kNames = [
  '../outside',
  '/etc/x',
  'a//b',
  './a',
  'a\\b',
  'a\0b',
  '',
  'version',
  'data.pkl',
  'constants.pkl',
  'code/__torch__.py',
];

/** TorchScript archives: damaged as bytes, as zip, and record by record behind right checksums. */
export const archive: Format = {
  name: 'archive',
  codes: ['ERR_MODEL_LOAD', 'ERR_MODEL_UNSAFE', 'ERR_MODEL_UNSUPPORTED', 'ERR_LIMIT_EXCEEDED'],
  async bases(folder) {
    const small = { classes: 3, inChannels: 1, inputSize: 8, seed: 1 };
    const models = [
      await Model.create('convnet', { ...small, widths: [4, 6] }),
      await Model.create('convnet', { ...small, widths: [2, 3, 4], normalize: { mean: [0.5], std: [0.25] } }),
    ];
    const bases = models.map(async (model, i) => {
      const file = path.join(folder, `base-${i}.pt`);
      await model.save(file);
      return { [kFile]: fs.readFileSync(file) };
    });
    return [...(await Promise.all(bases)), ...fixtures()];
  },
  mutate: (files, random) => ({ [kFile]: damageArchive(bytesOf(files, kFile), random) }),
};

/** What PyTorch wrote: attention, a quantised model, control flow, hooks, __setstate__. */
function fixtures() {
  const folder = path.resolve(import.meta.dirname, '../../../../reliability/fuzz/models');
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.pt'))
    .sort()
    .map((name) => ({ [kFile]: fs.readFileSync(path.join(folder, name)) }));
}

export function damageArchive(bytes: Buffer, random: Random): Buffer {
  if (random.chance(0.12)) return damageBytes(bytes, random);
  const records = wholeRecords(bytes);
  if (records === undefined) return damageBytes(bytes, random);
  if (random.chance(0.15)) return lieInHeaders(records, random);
  if (random.chance(0.15)) damageRecords(records, random);
  else for (let changes = 1 + random.below(2); changes > 0; changes--) damageContent(records, random);
  return writeZip(records).bytes;
}

function damageContent(records: ZipRecord[], random: Random): void {
  const kinds: [number, (name: string) => boolean, (record: ZipRecord) => Buffer | string][] = [
    [5, (name) => name.endsWith('/data.pkl'), ({ content }) => damagePickle(content, random)],
    [2, (name) => name.endsWith('/constants.pkl'), ({ content }) => damagePickle(content, random)],
    [
      5,
      (name) => name.includes('/code/') && name.endsWith('.py'),
      ({ content }) => damageCode(`${content}`, random),
    ],
    [1, (name) => name.endsWith('.debug_pkl'), ({ content }) => damageBytes(content, random)],
    [
      1,
      (name) => name.endsWith('version'),
      () => random.pick(['', '0', '1', '9', '11', '-1', '4294967297', 'x', '3\n\n']),
    ],
    [1, (name) => name.endsWith('espalier.json'), ({ content }) => damageJson(`${content}`, random)],
    [
      1,
      (name) => /\/(data|constants)\/\d+$/.test(name),
      ({ content }) => content.subarray(0, edge(random, content.length)),
    ],
    [1, () => true, ({ content }) => damageBytes(content, random)],
  ];
  const weighted = kinds.flatMap((kind) => Array.from({ length: kind[0] }, () => kind));
  const [, fits, change] = random.pick(weighted);
  const chosen = records.filter(({ name }) => fits(name));
  if (chosen.length === 0) return;
  const record = random.pick(chosen);
  record.content = Buffer.from(change(record) as string);
}

function damageRecords(records: ZipRecord[], random: Random): void {
  const record = random.pick(records);
  const other = random.pick(records);
  const kind = random.below(9);
  if (kind === 0) records.splice(records.indexOf(record), 1);
  else if (kind === 1) records.push({ ...record });
  else if (kind === 2) record.name = other.name;
  else if (kind === 3) record.name = record.name.split('/')[0] + random.pick(['', '/']) + random.pick(kNames);
  else if (kind === 4) [record.content, other.content] = [other.content, record.content];
  else if (kind === 5) record.deflated = !record.deflated;
  else if (kind === 6)
    Object.assign(record, { content: Buffer.alloc(random.pick([3, 80]) << 20), deflated: true });
  else if (kind === 7) record.crc = random.bits();
  else record.name = random.pick(['other/', `${record.name}/`]) + record.name;
}

// Of a record's local header and its entry in the directory: field offsets and widths in APPNOTE.TXT.
const kLocalFields = [
  [4, 2],
  [6, 2],
  [8, 2],
  [14, 4],
  [18, 4],
  [22, 4],
  [26, 2],
  [28, 2],
] as const;
const kCentralFields = [
  [8, 2],
  [10, 2],
  [16, 4],
  [20, 4],
  [24, 4],
  [28, 2],
  [30, 2],
  [32, 2],
  [42, 4],
] as const;
const kEndFields = [
  [4, 2],
  [6, 2],
  [8, 2],
  [10, 2],
  [12, 4],
  [16, 4],
  [20, 2],
] as const;

function lieInHeaders(records: ZipRecord[], random: Random): Buffer {
  const { bytes, local, central, end } = writeZip(records);
  let damaged = bytes;
  for (let changes = 1 + random.below(2); changes > 0; changes--) {
    const i = random.below(records.length);
    const kind = random.below(4);
    const [start, fields] =
      kind === 0 ? [local[i]!, kLocalFields] : kind < 3 ? [central[i]!, kCentralFields] : [end, kEndFields];
    const [offset, width] = random.pick<readonly [number, number]>(fields);
    // The same lie in both headers passes the comparison of the two.
    damaged = lie(damaged, start + offset, width, random);
    if (kind !== 3 && random.chance(0.4)) {
      const twin =
        kind === 0 ? [central[i]! + offset + 2, start + offset] : [local[i]! + offset - 2, start + offset];
      if (offset >= 8 && offset <= 24) damaged.copy(damaged, twin[0]!, twin[1]!, twin[1]! + width);
    }
  }
  return damaged;
}

// Undefined of an archive that an earlier change damaged.
function wholeRecords(bytes: Buffer): ZipRecord[] | undefined {
  try {
    const records = readZip(bytes);
    return records.length > 0 ? records : undefined;
  } catch {
    return undefined;
  }
}
