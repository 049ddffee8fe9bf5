import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import type { Domain } from '../lib/domain.js';
import { isEspalierError } from '../lib/errors.js';
import type { Model } from '../lib/model.js';
import { learnedThreshold } from '../lib/prune/learnedThreshold.js';
import { type SupervisedOptions, supervised } from '../lib/train/supervised.js';
import { temporaryFolder } from './support/paths.js';
import { test } from './support/test.js';
import { tinyDomain, tinyModel } from './support/tiny.js';

// Which checkpoint a run goes on from, and which it refuses.

interface Begun {
  file: string;
  model: Model;
  domain: Domain;
  digest: string;
  start: (how: Partial<SupervisedOptions>) => ReturnType<typeof supervised>;
}

const digestOf = async (model: Model) => (await model.inspect()).digest;

// A run that left two checkpoints, and what it ended with; in an object, for a run is awaited where it is returned.
async function begun(): Promise<Begun> {
  const file = path.join(temporaryFolder(), 'run.checkpoint');
  const [model, domain] = [await tinyModel(), await tinyDomain(128)];
  const start = (how: Partial<SupervisedOptions>) =>
    supervised(model, { domain, epochs: 2, batchSize: 32, threads: 1, ...how });
  const { model: trained } = await start({ checkpoint: { path: file, everySteps: 2 } });
  return { file, model, domain, digest: await digestOf(trained), start };
}

function damage(file: string): void {
  const bytes = fs.readFileSync(file);
  const at = bytes.length - 7;
  bytes[at] = (bytes[at] as number) ^ 1;
  fs.writeFileSync(file, bytes);
}

async function refused(run: PromiseLike<unknown>, code: string, ...words: RegExp[]): Promise<void> {
  try {
    await run;
  } catch (error) {
    assert.ok(isEspalierError(error), String(error));
    assert.is(error.code, code);
    for (const word of words) assert.match(error.message, word);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

for (const [how, spoil] of Object.entries({
  damaged: damage,
  torn: (file: string) => fs.truncateSync(file, 1000),
  missing: (file: string) => fs.rmSync(file),
})) {
  test(`where the newest checkpoint is ${how}, the one before it is used, with a warning`, async () => {
    const { file, digest, start } = await begun();
    spoil(file);
    fs.writeFileSync(`${file}.1-0.tmp`, 'what a killed process left');
    const checkpoint = { path: file, everySteps: 1 };
    const { model, report } = await start({ resume: file, checkpoint });
    assert.is(await digestOf(model), digest);
    assert.is(report.warnings.length, 1);
    assert.ok(report.warnings[0]?.startsWith(`resumed from ${file}.1: `), report.warnings[0]);
    // Written anew, whole, and nothing else is left.
    assert.equal(fs.readdirSync(path.dirname(file)).sort(), ['run.checkpoint', 'run.checkpoint.1']);
    assert.equal((await start({ resume: file })).report.warnings, []);
  });
}

test('where no checkpoint is whole, the run is refused', async () => {
  const { file, start } = await begun();
  damage(file);
  damage(`${file}.1`);
  await refused(start({ resume: file }), 'ERR_CHECKPOINT_INVALID', /damaged/, /no older checkpoint/);
  const nowhere = path.join(path.dirname(file), 'nowhere');
  await refused(start({ resume: nowhere }), 'ERR_IO', /nowhere/);
});

test("another method's, other options', another seed's, other data's checkpoint is refused by name", async () => {
  const { file, model, domain, start } = await begun();
  const mismatch = 'ERR_CHECKPOINT_MISMATCH';
  const method = learnedThreshold(model, { domain, epochs: 2, batchSize: 32, resume: file });
  await refused(method, mismatch, /expected method "prune\.learnedThreshold", found "train\.supervised"/);
  await refused(start({ resume: file, batchSize: 16 }), mismatch, /expected options .*"batchSize":16.*:32/);
  await refused(start({ resume: file, seed: 7 }), mismatch, /expected seed 7, found 0/);
  await refused(
    start({ resume: file, domain: await tinyDomain(64) }),
    mismatch,
    /expected inputs .*quadrants/,
  );
  const other = supervised(await tinyModel(2), { domain, epochs: 2, batchSize: 32, resume: file });
  await refused(other, mismatch, /expected inputs .*found/);
});

// With other words in its header, and a checksum that fits them.
function rewrite(file: string, change: (header: string) => string): void {
  const bytes = fs.readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.toString('utf8', 8, begin));
  const espalier = change(metadata.espalier);
  assert.is.not(espalier, metadata.espalier);
  const hash = createHash('sha256').update(espalier);
  for (const name of Object.keys(tensors).sort()) {
    const [from, to] = tensors[name].data_offsets;
    hash.update(name).update(bytes.subarray(begin + from, begin + to));
  }
  const header = { __metadata__: { ...metadata, espalier, sha256: hash.digest('hex') }, ...tensors };
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  fs.writeFileSync(file, Buffer.concat([length, Buffer.from(json), bytes.subarray(begin)]));
}

test("another version's checkpoint is refused by name, and no older one taken in its place", async () => {
  const { file, start } = await begun();
  rewrite(file, (header) => header.replace(/"version":"[^"]*"/, '"version":"0.0.1"'));
  await refused(
    start({ resume: file }),
    'ERR_CHECKPOINT_MISMATCH',
    /expected version "[^"]+", found "0\.0\.1"/,
  );
  const { file: later, start: startLater } = await begun();
  rewrite(later, (header) => header.replace('"format":1', '"format":2'));
  await refused(
    startLater({ resume: later }),
    'ERR_CHECKPOINT_MISMATCH',
    /format 1 at .*found format 2: it was written by another version/,
  );
});

test('a checkpoint is written when its seconds have passed, and not before', async () => {
  const { file, digest, start } = await begun();
  const often = `${file}-often`;
  await start({ checkpoint: { path: often, everySeconds: 0.001 } });
  assert.is(await digestOf((await start({ resume: often })).model), digest);
  const never = `${file}-never`;
  await start({ checkpoint: { path: never, everySeconds: 3600 } });
  assert.not(fs.existsSync(never));
});

test('other circumstances are a warning', async () => {
  const { file, start } = await begun();
  const { report } = await start({ resume: file, threads: 2 });
  assert.match(report.warnings.join(), /the result's bytes will differ/);
});

test.run();
