import type { Random } from '../../lib/data/random.js';
import { wideEdge } from './mutate.js';

/** One opcode of a pickle and its argument: a number, text, or the bytes that follow. */
interface Step {
  code: number;
  value?: number | bigint;
  text?: string;
  rest?: Buffer;
}

const of = (character: string) => character.charCodeAt(0);
const kWidths = new Map([
  [of('K'), 1],
  [of('M'), 2],
  [of('J'), 4],
  [of('q'), 1],
  [of('r'), 4],
  [of('h'), 1],
  [of('j'), 4],
  [0x80, 1],
]);
const kPlain = [...'(.NQR)}]lestud0120b'].map(of).concat([0x81, 0x85, 0x86, 0x87, 0x88, 0x89]);
const kGlobals = [
  'torch\nFloatStorage',
  'torch\nDoubleStorage',
  'torch\nQInt8Storage',
  'torch\nBits8Storage',
  'torch\nComplexFloatStorage',
  'torch\nByteStorage',
  'torch\ndevice',
  'torch._utils\n_rebuild_tensor_v2',
  'torch._utils\n_rebuild_qtensor',
  'torch._utils\n_rebuild_sparse_tensor',
  'torch.jit._pickle\nrestore_type_tag',
  'torch.jit._pickle\nbuild_intlist',
  'torch.jit._pickle\nbuild_tensorlist',
  'torch.jit._pickle\nbuild_doublelist',
  'torch.jit._pickle\nbuild_boollist',
  'torch.jit._pickle\nbuild_tensor_from_id',
  'collections\nOrderedDict',
  'builtins\ncomplex',
  '__torch__\nNowhere',
  '__torch__.torch.classes.quantized\nLinearPackedParamsBase',
  'torch.distributed.rpc\nrref',
  'os\nsystem',
];
const kTexts = [
  'storage',
  'cpu',
  'cuda:0',
  'meta',
  '0',
  '1',
  '99',
  '../version',
  '',
  'weight',
  'training',
  'Tensor',
  'int',
  'List[int]',
  'Dict[str, Tensor]',
  'Optional[Tensor]',
  '__torch__.Nowhere',
  `${'List['.repeat(400)}int${']'.repeat(400)}`,
];

/** A pickle of TorchScript with one to three opcodes or arguments changed, moved, removed or repeated. */
export function damagePickle(bytes: Buffer, random: Random): Buffer {
  let steps = parse(bytes);
  const globals = [
    ...kGlobals,
    ...steps.flatMap(({ code, text }) => (code === of('c') && text ? [text] : [])),
  ];
  const texts = [...kTexts, ...steps.flatMap(({ code, text }) => (code === of('X') && text ? [text] : []))];
  for (let changes = 1 + random.below(3); changes > 0 && steps.length > 2; changes--) {
    const at = 1 + random.below(steps.length - 1);
    const step = steps[at]!;
    const kind = random.below(10);
    if (kind < 4) damageArgument(step, globals, texts, random);
    else if (kind === 4) steps.splice(at, 1 + random.below(3));
    else if (kind === 5) steps.splice(at, 0, ...steps.slice(at, at + 1 + random.below(20)));
    else if (kind === 6) steps[at] = { code: random.pick(kPlain) };
    else if (kind === 7) steps.splice(at, 0, { code: random.pick(kPlain) });
    else if (kind === 8) {
      const other = 1 + random.below(steps.length - 1);
      [steps[at], steps[other]] = [steps[other]!, steps[at]!];
    } else if (random.chance(0.1)) steps = [...steps.slice(0, at), ...deep(random), ...steps.slice(at)];
    else steps.splice(at, 0, { code: of('c'), text: random.pick(globals) });
  }
  return Buffer.concat(steps.map(write));
}

function damageArgument(step: Step, globals: string[], texts: string[], random: Random): void {
  if (step.code === of('c')) step.text = random.pick(globals);
  else if (step.code === of('X')) step.text = random.pick(texts);
  else if (step.value !== undefined && step.code !== of('q') && step.code !== of('h') && random.chance(0.7)) {
    // As a whole 64-bit number: every integer may take that form.
    step.value = BigInt.asIntN(64, wideEdge(random, Number(step.value)) * (random.chance(0.2) ? -1n : 1n));
    step.code = 0x8a;
  } else if (step.value !== undefined) step.value = random.below(256);
  else step.code = random.pick(kPlain);
}

function deep(random: Random): Step[] {
  const count = random.pick([900, 1100, 20_000, 200_000]);
  const code = random.pick([0x85, of(']'), of('}'), of('(')]);
  return Array.from({ length: count }, () => ({ code }));
}

// A pickle may be damaged already: an opcode whose argument is cut off is one without.
function parse(bytes: Buffer): Step[] {
  const steps: Step[] = [];
  let at = 0;
  const has = (count: number) => at + count <= bytes.length;
  while (at < bytes.length) {
    const code = bytes[at++]!;
    const width = kWidths.get(code);
    if (width !== undefined && has(width)) {
      steps.push({ code, value: code === of('J') ? bytes.readInt32LE(at) : bytes.readUIntLE(at, width) });
      at += width;
    } else if (code === of('X') && has(4)) {
      const size = bytes.readUInt32LE(at);
      steps.push({ code, text: bytes.toString('latin1', at + 4, at + 4 + size) });
      at += 4 + size;
    } else if (code === of('c')) {
      const end = lineEnd(bytes, lineEnd(bytes, at) + 1);
      steps.push({ code, text: bytes.toString('latin1', at, end) });
      at = end + 1;
    } else if (code === 0x8a && has(9)) {
      steps.push({ code, value: bytes.readBigInt64LE(at + 1) });
      at += 9;
    } else if (code === of('G') && has(8)) {
      steps.push({ code, rest: Buffer.from(bytes.subarray(at, at + 8)) });
      at += 8;
    } else steps.push({ code });
  }
  return steps;
}

// The last line may have none.
function lineEnd(bytes: Buffer, at: number): number {
  const end = bytes.indexOf('\n', at);
  return end < 0 ? bytes.length : end;
}

function write({ code, value, text, rest }: Step): Buffer {
  const head = Buffer.from([code]);
  if (rest) return Buffer.concat([head, rest]);
  if (text !== undefined && code === of('c'))
    return Buffer.concat([head, Buffer.from(`${text}\n`, 'latin1')]);
  if (text !== undefined) {
    const body = Buffer.from(text, 'latin1');
    const size = Buffer.alloc(4);
    size.writeUInt32LE(body.length);
    return Buffer.concat([head, size, body]);
  }
  if (value === undefined) return head;
  const wide = Buffer.alloc(8);
  wide.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
  if (code === 0x8a) return Buffer.concat([head, Buffer.from([8]), wide]);
  return Buffer.concat([head, wide.subarray(0, kWidths.get(code) ?? 0)]);
}
