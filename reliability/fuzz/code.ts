import type { Random } from '../../lib/data/random.js';
import { damageText } from './mutate.js';

// Expressions that reach further than a model may, or that have ended the process in a reader without a check.
const kExpressions = [
  'torch.from_file("version", False, 100)',
  'torch.save(x, "out")',
  'torch.as_strided(x, [100], [1], 50)',
  'torch.set_(x, x)',
  'torch.resize_(x, [100000])',
  'ops.inductor._reinterpret_tensor(x, [9], [1], 0)',
  'ops.prim.PythonOp(x)',
  'ops.mkldnn.data_ptr(x)',
  'ops.elsewhere.steal(x)',
  'torch.no_such_operator(x)',
  'unchecked_cast(int, x)',
  'unchecked_cast(__torch__.Nowhere, self)',
  'annotate(List[int], [])[9]',
  'uninitialized(Tensor)',
  'CONSTANTS.c0',
  'CONSTANTS.c99999',
  'torch.zeros([-1])',
  'torch.zeros([9999999999999])',
  'torch.select(x, 0, 99)',
  'torch.index_select(x, 0, torch.tensor([99]))',
  'torch.view(x, [3, 3])',
  'torch.conv2d(x, x)',
  'torch.embedding(x, x)',
  'torch.gather(x, 0, torch.tensor([[99]]))',
  'torch._unsafe_view(x, [7])',
  'torch.max_unpool2d(x, x, [1])',
  'None',
  'self',
  'x',
  '(x, x)',
  '[x]',
  '{"a": x}',
  'lambda y: y',
  'self.forward(x)',
  'x if True else None',
  'torch.jit.fork(self, x)',
  `${'('.repeat(150)}x${')'.repeat(150)}`,
  `${'('.repeat(20_000)}x${')'.repeat(20_000)}`,
  `${'-'.repeat(20_000)}x`,
];
const kStatements = [
  'while True:\n      pass',
  'x = x',
  'if True:\n      x = x',
  'for i in range(9999999999):\n      x = x',
  'assert False',
  'ops.prim.RaiseException("")',
  'return x',
  'print(x)',
  'torch.append([x], x)',
  'break',
  'fork = x',
];
const kWords = [
  'Tensor',
  'int',
  'float',
  'bool',
  'str',
  'List',
  'Dict',
  'Optional',
  'Tuple',
  'self',
  'x',
  'def',
  'class',
  'return',
  '__torch__',
  'Module',
  'NoneType',
  'Device',
  'number',
  'ops',
  'torch',
  '...',
  '->',
  '0',
  '-1',
  '9223372036854775807',
  '(',
  ')',
  '[',
  ']',
  ':',
  '=',
  ',',
  '.',
  '\n',
  '\t',
  '\0',
  '"',
  '\\',
];

/** TorchScript source with words, lines or expressions changed. */
export function damageCode(source: string, random: Random): string {
  const lines = source.split('\n');
  const at = random.below(lines.length);
  const indent = /^\s*/.exec(lines[at]!)![0];
  const kind = random.below(9);
  if (kind < 3) return damageText(source, random, kWords);
  if (kind < 5) {
    // The right side of an assignment, or what is returned.
    const line = random.pick(lines.filter((one) => /=|return/.test(one)).concat(lines[at]!));
    const changed = line.replace(
      /(=|return)\s*.*$/,
      `$1 ${random.pick(kExpressions).replaceAll('$', '$$$$')}`,
    );
    return source.replace(line, () => changed);
  }
  if (kind === 5) lines.splice(at, 1 + random.below(3));
  else if (kind === 6) lines.splice(at, 0, ...lines.slice(at, at + 1 + random.below(6)));
  else if (kind === 7) lines.splice(at, 0, indent + random.pick(kStatements));
  else {
    const other = random.below(lines.length);
    [lines[at], lines[other]] = [lines[other]!, lines[at]!];
  }
  return lines.join('\n');
}
