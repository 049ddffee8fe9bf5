import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import * as assert from 'uvu/assert';
import { prepareSource } from '../lib/data/open.js';
import { type ErrorCode, isEspalierError } from '../lib/errors.js';
import { runChild } from './support/child.js';
import { root, temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';

const work = temporaryFolder();
process.env.XDG_CACHE_HOME = path.join(work, 'cache');
const cache = path.join(work, 'cache', 'espalier', 'datasets');

let files = 0;
function write(name: string, bytes: Buffer): string {
  const folder = path.join(work, `file${files++}`);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, name), bytes);
  return path.join(folder, name);
}

async function rejects(promise: Promise<unknown>, code: ErrorCode, ...parts: string[]): Promise<void> {
  const error = await promise.then(
    () => assert.unreachable(`expected ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(isEspalierError(error), String(error));
  assert.is(error.code, code, error.message);
  for (const part of parts) assert.ok(error.message.includes(part), `'${part}' in '${error.message}'`);
}

const leftovers = () => fs.readdirSync(cache).filter((name) => name.includes('.part-'));

// A zip archive as numpy writes one: deflated entries, then the directory.
function zip(entries: { name: string; data: Buffer; checksum?: number; claimed?: number }[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, checksum = crc32(data), claimed = data.length } of entries) {
    const packed = deflateRawSync(data);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(8, 4);
    facts.writeUInt32LE(checksum, 10);
    facts.writeUInt32LE(packed.length, 14);
    facts.writeUInt32LE(claimed, 18);
    facts.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), facts, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), facts, rest, Buffer.from(name));
    locals.push(local);
    offset += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(listed.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, listed, Buffer.from('PK\x05\x06'), end]);
}

const arrays = [
  { name: 'images.npy', data: Buffer.from('the bytes of images '.repeat(50)) },
  { name: 'labels.npy', data: Buffer.from('the bytes of labels') },
];

test('gives what needs no preparation on as it is', async () => {
  const images = write('images', Buffer.from('plain'));
  const labels = write('labels', Buffer.from('plain'));
  assert.equal(await prepareSource({ images, labels }), { images, labels });
  assert.equal(await prepareSource(images), { images, labels: '' });
  const folder = path.dirname(write('data_batch_1.bin', Buffer.from('records')));
  assert.equal(await prepareSource(folder), { images: folder, labels: '' });
  await rejects(prepareSource(path.join(work, 'nowhere')), 'ERR_IO', 'nowhere');
  await rejects(prepareSource({ images, labels: path.join(work, 'nowhere') }), 'ERR_IO', 'nowhere');
});

test('unpacks gzip once, under the name of the content', async () => {
  const data = Buffer.from('0123456789'.repeat(50_000));
  const file = write('test_batch.bin.gz', gzipSync(data));
  const { images } = await prepareSource(file);
  assert.is(path.basename(images), 'test_batch.bin');
  assert.ok(fs.readFileSync(images).equals(data));
  const { mtimeMs } = fs.statSync(images);
  assert.is((await prepareSource(file)).images, images);
  assert.is(fs.statSync(images).mtimeMs, mtimeMs);
  // A cache that somebody tidied is filled again.
  fs.rmSync(images);
  assert.ok(fs.readFileSync((await prepareSource(file)).images).equals(data));
  const both = await Promise.all([prepareSource(file), prepareSource(file)]);
  assert.is(both[0].images, both[1].images);
});

test('knows gzip by its content, not by its name', async () => {
  const { images } = await prepareSource(write('images-idx3', gzipSync('abc')));
  assert.is(fs.readFileSync(images, 'utf8'), 'abc');
});

test('refuses a damaged gzip by name and leaves nothing behind', async () => {
  const whole = gzipSync(Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * i) & 255)));
  for (let length = 2; length < whole.length; length += 97) {
    await rejects(prepareSource(write('cut.gz', whole.subarray(0, length))), 'ERR_DATA_INVALID', 'cut.gz');
  }
  for (let at = 10; at < whole.length; at += 97) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 0x10;
    await rejects(prepareSource(write('changed.gz', changed)), 'ERR_DATA_INVALID', 'changed.gz');
  }
  await rejects(
    prepareSource(write('padded.gz', Buffer.concat([whole, Buffer.alloc(9)]))),
    'ERR_DATA_INVALID',
    'behind it',
  );
  const trailing = [
    Buffer.from('x'),
    Buffer.alloc(9),
    Buffer.from('more than a trailer'),
    gzipSync('second'),
  ];
  for (const more of trailing) {
    const file = write('long.gz', Buffer.concat([whole, more]));
    await rejects(prepareSource(file), 'ERR_DATA_INVALID', 'long.gz');
  }
  assert.equal(leftovers(), []);
});

test('refuses what unpacks to more than the limit', async () => {
  const bomb = write('bomb.gz', gzipSync(Buffer.alloc(1_000_000)));
  await rejects(
    prepareSource(bomb, { maxUnpackedBytes: 999_999 }),
    'ERR_LIMIT_EXCEEDED',
    'bomb.gz',
    '999999',
  );
  const archive = write('bomb.npz', zip(arrays));
  await rejects(prepareSource(archive, { maxUnpackedBytes: 1010 }), 'ERR_LIMIT_EXCEEDED', 'bomb.npz');
  assert.equal(leftovers(), []);
  await prepareSource(bomb, { maxUnpackedBytes: 1_000_000 });
});

test('says how to open a tar archive', async () => {
  await rejects(
    prepareSource(write('cifar-10-binary.tar.gz', gzipSync('tar'))),
    'ERR_DATA_INVALID',
    'tar -xzf',
  );
});

test('refuses a folder of images that holds what is no file', async () => {
  const folder = temporaryFolder();
  fs.mkdirSync(path.join(folder, 'cat'));
  // It has no end.
  fs.symlinkSync('/dev/zero', path.join(folder, 'cat/endless.png'));
  await rejects(prepareSource(folder), 'ERR_IO', 'endless.png', 'a regular file');
});

test('takes an npz apart', async () => {
  const other = { name: 'weights.npy', data: Buffer.from('ignored') };
  const { images, labels } = await prepareSource(write('data.npz', zip([other, ...arrays])));
  assert.ok(fs.readFileSync(images).equals(arrays[0]!.data));
  assert.ok(fs.readFileSync(labels).equals(arrays[1]!.data));
  const pair = { images: write('data.npz', zip(arrays)), labels };
  await rejects(prepareSource(pair), 'ERR_DATA_INVALID', 'as the only path');
});

test('refuses a damaged npz by name and leaves nothing behind', async () => {
  const [images, labels] = [arrays[0]!, arrays[1]!];
  const bad = [
    [zip([images]), 'found images.npy'],
    [zip([images, { ...labels, checksum: 7 }]), 'checksum 00000007 of labels.npy'],
    [zip([{ ...images, claimed: 5 }, labels]), ''],
    [zip([{ ...images, claimed: 50_000 }, labels]), ''],
    [zip([images, labels, images]), 'two named images.npy'],
    [zip([images, labels, { name: '../outside', data: images.data }]), ''],
    [zip([]), ''],
  ] as const;
  for (const [bytes, part] of bad.slice(0, -1)) {
    await rejects(prepareSource(write('bad.npz', bytes)), 'ERR_DATA_INVALID', 'bad.npz', part);
  }
  const whole = zip([images, labels]);
  for (let length = 4; length < whole.length; length += 13) {
    await rejects(prepareSource(write('cut.npz', whole.subarray(0, length))), 'ERR_DATA_INVALID', 'cut.npz');
  }
  let refused = 0;
  for (let at = 4; at < whole.length; at += 3) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 0x41;
    try {
      const prepared = await prepareSource(write('changed.npz', changed));
      // What is not refused (a time stamp, say) did not change the arrays.
      assert.ok(fs.readFileSync(prepared.images).equals(images.data));
      assert.ok(fs.readFileSync(prepared.labels).equals(labels.data));
    } catch (error) {
      assert.ok(isEspalierError(error, 'ERR_DATA_INVALID'), String(error));
      refused++;
    }
  }
  assert.ok(refused > 20);
  assert.equal(leftovers(), []);
});

interface Picture {
  width?: number;
  height?: number;
  channels?: 1 | 3;
  value: number;
}

async function picture({ width = 4, height = 4, channels = 3, value }: Picture): Promise<Buffer> {
  const data = Buffer.alloc(width * height * channels, 0).map((_, i) => (value + i) & 255);
  const image = sharp(data, { raw: { width, height, channels } });
  return channels === 1 ? image.toColourspace('b-w').png().toBuffer() : image.png().toBuffer();
}

async function imageFolder(content: { [name: string]: Picture | Buffer | null }): Promise<string> {
  const folder = path.join(work, `folder${files++}`);
  for (const [name, item] of Object.entries(content)) {
    const target = path.join(folder, name);
    fs.mkdirSync(item === null ? target : path.dirname(target), { recursive: true });
    if (item !== null) fs.writeFileSync(target, Buffer.isBuffer(item) ? item : await picture(item));
  }
  return folder;
}

function readNpy(file: string): { header: string; data: Buffer } {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  return { header: bytes.toString('latin1', 10, start), data: bytes.subarray(start) };
}

test('decodes an image folder: labels by sorted folders, planes of colours, empty classes known', async () => {
  const folder = await imageFolder({
    'b/2.png': { value: 20 },
    'b/1.PNG': { value: 10 },
    'a/z.png': { value: 30 },
    c: null,
    'a/.hidden': Buffer.from('not mine'),
    'readme.txt': Buffer.from('about'),
  });
  const { images, labels, classNames } = await prepareSource(folder);
  assert.equal(classNames, ['a', 'b', 'c']);
  const pixels = readNpy(images);
  assert.match(pixels.header, /'\|u1'.*\(3, 3, 4, 4\)/);
  for (const [i, value] of [30, 10, 20].entries()) {
    for (const [channel, pixel] of [
      [0, 0],
      [1, 5],
      [2, 15],
    ] as const) {
      assert.equal(pixels.data[48 * i + 16 * channel + pixel], value + 3 * pixel + channel);
    }
  }
  const { header, data } = readNpy(labels);
  assert.match(header, /'<i4'.*\(3,\)/);
  assert.equal(
    [0, 4, 8].map((at) => data.readInt32LE(at)),
    [0, 1, 1],
  );
});

test('keeps grey images at one channel, and gives three when one image has colours', async () => {
  const grey = await prepareSource(await imageFolder({ 'a/1.png': { channels: 1, value: 7 } }));
  const { header, data } = readNpy(grey.images);
  assert.match(header, /\(1, 1, 4, 4\)/);
  assert.equal(
    [...data],
    Array.from({ length: 16 }, (_, i) => 7 + i),
  );
  const mixed = await imageFolder({ 'a/1.png': { channels: 1, value: 7 }, 'a/2.png': { value: 9 } });
  assert.match(readNpy((await prepareSource(mixed)).images).header, /\(2, 3, 4, 4\)/);
});

test('an image folder is decoded once, and again when a file or the size changes', async () => {
  const folder = await imageFolder({ 'a/1.png': { value: 1 }, 'b/1.png': { value: 2 } });
  const first = await prepareSource(folder);
  assert.equal(await prepareSource(folder), first);
  const scaled = await prepareSource(folder, { size: 8 });
  assert.is.not(scaled.images, first.images);
  assert.match(readNpy(scaled.images).header, /\(2, 3, 8, 8\)/);
  fs.writeFileSync(path.join(folder, 'b/1.png'), await picture({ value: 3 }));
  assert.is.not((await prepareSource(folder)).images, first.images);
});

test('images of several sizes need the option size', async () => {
  const folder = await imageFolder({ 'a/1.png': { value: 1 }, 'a/2.png': { value: 1, width: 6, height: 5 } });
  await rejects(prepareSource(folder), 'ERR_DATA_INVALID', '2.png', '4 x 4', '6 x 5', 'size');
  assert.match(readNpy((await prepareSource(folder, { size: 5 })).images).header, /\(2, 3, 5, 5\)/);
});

test('refuses an image folder with damage or strangers in it', async () => {
  const whole = await picture({ value: 1, width: 64, height: 64 });
  const cases: [{ [name: string]: Buffer | null }, string][] = [
    [{ 'a/1.png': whole.subarray(0, whole.length >> 1) }, '1.png'],
    [{ 'a/1.png': Buffer.from('no picture') }, '1.png'],
    [{ 'a/notes.txt': Buffer.from('text'), 'a/1.png': whole }, 'notes.txt'],
    [{ 'a/1.png': whole, '2.png': whole }, '2.png'],
    [{ 'a/deeper/1.png': whole }, 'deeper'],
    [{ a: null }, 'no image'],
  ];
  for (const [content, part] of cases) {
    await rejects(prepareSource(await imageFolder(content)), 'ERR_DATA_INVALID', part);
  }
  assert.equal(leftovers(), []);
});

test('names the package that image folders need when it is missing', async () => {
  const folder = await imageFolder({ 'a/1.png': { value: 77 } });
  const hooks = `export async function resolve(name, context, next) {
    if (name === 'sharp') throw Object.assign(new Error('no sharp'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(name, context);
  }`;
  const script = path.join(work, 'missing.mjs');
  const lib = pathToFileURL(path.join(root, 'dist/lib/data/open.js')).href;
  fs.writeFileSync(
    script,
    `import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}));
    const { prepareSource } = await import(${JSON.stringify(lib)});
    await prepareSource(process.argv[2]).catch(({ code, message }) => console.log(code, message));`,
  );
  const { stdout, stderr } = await runChild(script, [folder]);
  assert.match(stdout, /^ERR_PLATFORM_UNSUPPORTED .*npm install sharp/, stderr);
});

test.run();
