import type { Random } from '../../lib/data/random.js';

/** Numbers at which sizes, counts and offsets go wrong. */
const kEdges = [
  0,
  1,
  2,
  3,
  7,
  8,
  127,
  128,
  255,
  256,
  32767,
  32768,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];
const kWideEdges = [
  ...kEdges.map(BigInt),
  2n ** 32n,
  2n ** 40n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

export function edge(random: Random, near = 0): number {
  return random.chance(0.4) ? Math.max(0, near + random.below(9) - 4) : random.pick(kEdges);
}

export function wideEdge(random: Random, near = 0): bigint {
  return random.chance(0.3) ? BigInt(Math.round(edge(random, near))) : random.pick(kWideEdges);
}

/** A place in `bytes`, as often near the start, where headers are, as anywhere. */
function place(bytes: Buffer, random: Random): number {
  return random.below(random.chance(0.5) ? Math.min(bytes.length, 160) : bytes.length);
}

/** Flips, overwrites, inserts, removes and repeats bytes, or cuts the end off. */
export function damageBytes(source: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(source);
  for (let changes = 1 + random.below(4); changes > 0 && bytes.length > 0; changes--) {
    const at = place(bytes, random);
    const kind = random.below(8);
    if (kind < 2) bytes[at] = bytes[at]! ^ (1 << random.below(8));
    else if (kind === 2) bytes[at] = random.below(256);
    else if (kind === 3) bytes[at] = random.pick([0, 0x7f, 0x80, 0xff]);
    else if (kind === 4) bytes = splice(bytes, at, 1 + random.below(16), Buffer.alloc(0));
    else if (kind === 5) bytes = splice(bytes, at, 0, Buffer.alloc(1 + random.below(16), random.below(256)));
    else if (kind === 6) bytes = splice(bytes, at, 0, bytes.subarray(at, at + 1 + random.below(64)));
    else bytes = bytes.subarray(0, random.below(bytes.length));
  }
  return bytes;
}

export function splice(bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}

/** Writes an edge value of 1, 2, 4 or 8 bytes, either way round. */
export function lie(source: Buffer, at: number, width: number, random: Random): Buffer {
  const bytes = Buffer.from(source);
  if (at < 0 || at + width > bytes.length) return bytes;
  const old = width <= 6 ? bytes.readUIntLE(at, width) : Number(bytes.readBigUInt64LE(at));
  const field = Buffer.alloc(8);
  field.writeBigUInt64LE(BigInt.asUintN(64, wideEdge(random, old)));
  field.copy(bytes, at, 0, width);
  return bytes;
}

const kTokens = [
  '0',
  '-1',
  '1e999',
  '99999999999999999999',
  '9223372036854775807',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  "'",
  '"',
  ',',
  ':',
  '\\',
  '\n',
  '\0',
  'None',
  'True',
  'nan',
  '\ufffd',
];

/** Replaces, removes, repeats or exchanges words, numbers and signs of a text. */
export function damageText(source: string, random: Random, words: readonly string[] = kTokens): string {
  const tokens = source.match(/\w+|\s+|[^\w\s]/gu) ?? [''];
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(tokens.length);
    const kind = random.below(7);
    if (kind < 2) tokens[at] = random.pick(words);
    else if (kind === 2) tokens[at] = random.pick(tokens);
    else if (kind === 3) tokens.splice(at, 1 + random.below(3));
    else if (kind === 4) tokens.splice(at, 0, ...tokens.slice(at, at + 1 + random.below(12)));
    else if (kind === 5) tokens.splice(at, 0, random.pick(words));
    else tokens[at] = /^\d+$/.test(tokens[at] ?? '') ? String(wideEdge(random, Number(tokens[at]))) : '0';
    if (tokens.length === 0) tokens.push(' ');
  }
  return tokens.join('');
}
