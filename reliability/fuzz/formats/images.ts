import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { Random } from '../../../lib/data/random.js';
import { bytesOf, type Files, type Format } from '../format.js';
import { damageBytes, wideEdge } from '../mutate.js';
import { pattern } from './arrays.js';

const kSize = 8;
const kNames = [
  'x\ny.png',
  'x\ty.png',
  '-rf.png',
  '.hidden.png',
  'é\u0301.png',
  '\u202egnp.png',
  `${'n'.repeat(250)}.png`,
  'no extension',
  'x.png.txt',
  '.png',
  'X.PNG',
  'x.svg',
  '%00.png',
  '$(x).png',
  '*.png',
  '\\.png',
];

/** A folder a class: damaged pictures, pictures that claim another size, odd names, links, folders in folders. */
export const images: Format = {
  name: 'images',
  codes: ['ERR_DATA_INVALID', 'ERR_LIMIT_EXCEEDED', 'ERR_IO'],
  async bases() {
    const picture = (channels: 1 | 3, seed: number) =>
      sharp(pattern(kSize * kSize * channels, seed), { raw: { width: kSize, height: kSize, channels } });
    const [png, jpeg, webp, gif, tiff, grey] = await Promise.all([
      picture(3, 1).png().toBuffer(),
      picture(3, 2).jpeg().toBuffer(),
      picture(3, 3).webp().toBuffer(),
      picture(3, 4).gif().toBuffer(),
      picture(3, 5).tiff().toBuffer(),
      picture(1, 6).toColourspace('b-w').png().toBuffer(),
    ]);
    return [
      { 'images/cat/a.png': png!, 'images/dog/b.jpg': jpeg! },
      { 'images/cat/a.webp': webp!, 'images/dog/b.png': grey! },
      { 'images/cat/a.gif': gif!, 'images/dog/b.tif': tiff! },
    ];
  },
  mutate(files, random) {
    const name = random.pick(Object.keys(files));
    const bytes = bytesOf(files, name);
    const kind = random.below(8);
    if (kind < 4) return { ...files, [name]: damageBytes(bytes, random) };
    if (kind === 4) return { ...files, [name]: lieInPng(bytes, random) };
    if (kind === 5) return { ...files, [`images/cat/${random.pick(kNames)}`]: bytes };
    if (kind === 6)
      return {
        ...files,
        [odd(random)]: random.pick([
          'folder',
          { link: '/dev/zero' },
          { link: 'nowhere' },
          { link: '..' },
          { link: `../../${name}` },
        ] as const),
      };
    const { [name]: moved, ...others } = files;
    return random.chance(0.5) ? others : ({ ...others, [`images/${random.pick(kNames)}`]: moved! } as Files);
  },
};

const odd = (random: Random) =>
  random.pick([
    'images/cat/link.png',
    'images/bird',
    'images/bird.png',
    'images/cat/inner',
    'images/dog/b2.jpg',
  ]);

// A chunk that claims other numbers than its picture has, its checksum right.
function lieInPng(source: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(source);
  if (bytes.readUInt32BE(0) !== 0x89504e47) return damageBytes(bytes, random);
  const field = Buffer.alloc(8);
  field.writeBigUInt64BE(BigInt.asUintN(64, wideEdge(random, kSize)));
  if (random.chance(0.7)) field.copy(bytes, random.pick([16, 20]), 4);
  else bytes[random.pick([24, 25, 26, 27, 28])] = random.below(20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}
