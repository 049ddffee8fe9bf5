import { npyHeader } from '../../../lib/data/npy.js';
import type { Random } from '../../../lib/data/random.js';
import { bytesOf, type Files, type Format } from '../format.js';
import { damageJson } from '../json.js';
import { damageBytes, damageText, lie, wideEdge } from '../mutate.js';
import { readZip, writeZip } from '../zip.js';
import { damageArchive } from './archive.js';

const kCodes = ['ERR_DATA_INVALID', 'ERR_LIMIT_EXCEEDED', 'ERR_IO'] as const;

/** `count` bytes that differ. */
export const pattern = (count: number, seed = 0) =>
  Buffer.from(Array.from({ length: count }, (_, i) => (i * 31 + seed) & 255));

const labels = (count: number, classes: number) =>
  Buffer.from(Array.from({ length: count }, (_, i) => i % classes));

/** Damages the images or, one time in three, the labels. */
function damageOne(files: Files, random: Random, damage: (bytes: Buffer, random: Random) => Buffer): Files {
  const names = Object.keys(files);
  const name = names.length > 1 && random.chance(1 / 3) ? names[1]! : names[0]!;
  return { ...files, [name]: damage(bytesOf(files, name), random) };
}

function idxOf(type: number, shape: number[], data: Buffer): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, type, shape.length]);
  for (const [i, size] of shape.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([head, data]);
}

export const idx: Format = {
  name: 'idx',
  codes: kCodes,
  bases: async () => [
    { images: idxOf(8, [6, 4, 4], pattern(96)), labels: idxOf(8, [6], labels(6, 3)) },
    { images: idxOf(13, [6, 1, 2, 2], Buffer.alloc(96)), labels: idxOf(12, [6], Buffer.alloc(24)) },
    { images: idxOf(8, [6, 8], pattern(48)), labels: idxOf(8, [6], labels(6, 2)) },
  ],
  mutate: (files, random) =>
    damageOne(files, random, (bytes) => {
      if (random.chance(0.4)) return damageBytes(bytes, random);
      const damaged = lie(bytes, 4 + 4 * random.below(bytes[3]!), 4, random);
      // Half of the lies the right way round for a big-endian file.
      if (random.chance(0.5)) damaged.subarray(4, 8).reverse();
      if (random.chance(0.3)) damaged[random.pick([2, 3])] = random.below(random.pick([5, 16, 256]));
      return damaged;
    }),
};

export const npy: Format = {
  name: 'npy',
  codes: kCodes,
  bases: async () => [
    { 'images.npy': npyOf('|u1', [6, 4, 4], pattern(96)), 'labels.npy': npyOf('<i4', [6], Buffer.alloc(24)) },
    {
      'images.npy': npyOf('<f4', [6, 1, 2, 2], Buffer.alloc(96)),
      'labels.npy': npyOf('|u1', [6], labels(6, 3)),
    },
  ],
  mutate: (files, random) => damageOne(files, random, damageNpy),
};

const npyOf = (type: string, shape: number[], data: Buffer) =>
  Buffer.concat([npyHeader(shape, type as '<i4'), data]);

function damageNpy(bytes: Buffer, random: Random): Buffer {
  if (random.chance(0.25)) return damageBytes(bytes, random);
  const size = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + size);
  const data = bytes.subarray(10 + size);
  const text = random.chance(0.5)
    ? header.replace(
        /\(.*?\)/,
        `(${Array.from({ length: random.below(70) < 60 ? random.below(6) : 70 }, () => wideEdge(random, 6)).join(', ')})`,
      )
    : damageText(header.trimEnd(), random, [
        '|u1',
        '<f4',
        '<f8',
        '>i4',
        '|O',
        '<U9',
        'True',
        'descr',
        'shape',
        '(',
        ')',
        '{',
        '}',
        "'",
        ',',
        '-1',
        '1e9',
        '99999999999999999999',
      ]);
  const body = Buffer.from(text, 'latin1');
  const version = random.pick([1, 1, 1, 2, 3, 4, 0, 255]);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  const told = random.chance(0.2)
    ? Number(BigInt.asUintN(8 * length.length, wideEdge(random, body.length)))
    : body.length;
  length.writeUIntLE(told % 256 ** length.length, 0, length.length);
  return Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0]), length, body, data]);
}

export const npz: Format = {
  name: 'npz',
  codes: kCodes,
  async bases() {
    const arrays = await npy.bases('');
    return arrays.map((files, i) => ({
      'data.npz': writeZip(
        Object.keys(files).map((name) => ({ name, content: bytesOf(files, name), deflated: i === 1 })),
      ).bytes,
    }));
  },
  mutate(files, random) {
    const bytes = bytesOf(files, 'data.npz');
    if (random.chance(0.6)) return { 'data.npz': damageArchive(bytes, random) };
    const records = readZip(bytes);
    const record = random.pick(records);
    record.content = damageNpy(record.content, random);
    return { 'data.npz': writeZip(records).bytes };
  },
};

function safetensorsOf(header: string, data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}

export const safetensors: Format = {
  name: 'safetensors',
  codes: kCodes,
  bases: async () => {
    const tensor = (dtype: string, shape: number[], begin: number, end: number) => ({
      dtype,
      shape,
      data_offsets: [begin, end],
    });
    const headers = [
      { images: tensor('U8', [6, 1, 4, 4], 0, 96), labels: tensor('I64', [6], 96, 144) },
      {
        images: tensor('F32', [6, 4], 0, 96),
        labels: tensor('U8', [6], 96, 102),
        more: tensor('F64', [0], 102, 102),
      },
    ];
    return headers.map((header) => {
      const end = Math.max(...Object.values(header).map(({ data_offsets }) => data_offsets[1]!));
      return {
        'data.safetensors': safetensorsOf(
          JSON.stringify({ __metadata__: { made: 'here' }, ...header }),
          Buffer.alloc(end),
        ),
      };
    });
  },
  mutate(files, random) {
    const bytes = bytesOf(files, 'data.safetensors');
    if (random.chance(0.2)) return { 'data.safetensors': damageBytes(bytes, random) };
    if (random.chance(0.1)) return { 'data.safetensors': lie(bytes, 0, 8, random) };
    const { header, data } = splitSafetensors(bytes);
    return { 'data.safetensors': safetensorsOf(damageJson(header, random), data) };
  },
};

export function splitSafetensors(bytes: Buffer): { header: string; data: Buffer } {
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  return { header: bytes.toString('utf8', 8, end), data: bytes.subarray(end) };
}

export { safetensorsOf };

/** Records without a header: what can be wrong is their number, their labels and the files of the folder. */
export const cifar: Format = {
  name: 'cifar',
  codes: kCodes,
  bases: async () => {
    const record = (labelBytes: number, i: number) =>
      Buffer.concat([labels(labelBytes, 10), pattern(3072, i)]);
    const batch = (count: number, labelBytes: number) =>
      Buffer.concat(Array.from({ length: count }, (_, i) => record(labelBytes, i)));
    return [
      { 'data_batch_1.bin': batch(3, 1), 'data_batch_2.bin': batch(2, 1) },
      { 'train.bin': batch(3, 2) },
    ];
  },
  mutate(files, random) {
    const name = random.pick(Object.keys(files));
    const bytes = bytesOf(files, name);
    const kind = random.below(6);
    if (kind === 0) return { ...files, [name]: bytes.subarray(0, random.below(bytes.length + 1)) };
    if (kind === 1) return { ...files, [name]: Buffer.concat([bytes, pattern(1 + random.below(4000))]) };
    if (kind === 2) {
      const damaged = Buffer.from(bytes);
      damaged[random.pick([0, 1, 3073, 3074, 6146])] = random.below(256);
      return { ...files, [name]: damaged };
    }
    if (kind === 3) {
      const { [name]: moved, ...others } = files;
      const names = [
        'data_batch_0.bin',
        'data_batch_3.bin',
        'data_batch_-1.bin',
        'data_batch_99999999999.bin',
        'data_batch_1.bin.bak',
        'train.bin',
        'data_batch_01.bin',
        'x',
      ];
      return { ...others, [random.pick(names)]: moved! };
    }
    if (kind === 4)
      return {
        ...files,
        [random.pick(['train.bin', 'data_batch_3.bin'])]: random.pick([
          'folder',
          { link: '/dev/zero' },
          { link: 'nowhere' },
          { link: name },
        ] as const),
      };
    return { ...files, [name]: damageBytes(bytes, random) };
  },
};
