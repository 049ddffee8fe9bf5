import type { Command } from 'commander';
import type { Model, ModelInfo } from '../../model.js';
import { type Facts, number, type Table, table, text } from '../../report/blocks.js';
import { count, percent } from '../../report/format.js';
import { flattened } from '../../report/present.js';
import { isObject } from '../../report/report.js';
import { blocksToText } from '../../report/text.js';
import { misused } from '../usage.js';

interface Options {
  inputShape?: string;
  trust?: boolean;
  json?: boolean;
}

export function addInspect(command: Command): void {
  command
    .description('Shows the layers and parameters of a model, without running any of it.')
    .argument('<model>', 'A TorchScript file.')
    .option('--input-shape <n,n,...>', 'Shape of an input, such as 1,3,32,32: tells what each layer costs.')
    .option('--trust', 'Load the model without scanning its operators.')
    .option('--json', 'The same as JSON.')
    .option('--verbose', 'Show the stack of an error.')
    .action(async (file: string, options: Options) => {
      const { inputShape, trust = false, json } = options;
      const shape = inputShape === undefined ? undefined : parseShape(inputShape);
      const { Model } = await import('../../model.js');
      const model = await Model.load(file, { trust });
      const info = await model.inspect(shape === undefined ? {} : { inputShape: shape });
      const { layers } = model;
      process.stdout.write(
        json ? `${JSON.stringify({ layers, ...info }, null, 2)}\n` : show(file, model, info),
      );
    });
}

function parseShape(words: string): number[] {
  const shape = words.split(',').map(Number);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || words.trim() === '') {
    throw misused('whole numbers with commas, such as 1,3,32,32,', '--input-shape', words);
  }
  return shape;
}

function show(file: string, model: Model, info: ModelInfo): string {
  return blocksToText([
    overview(file, info),
    ...history(info),
    layerTable(model, info),
    parameterTable(info),
    ...unknowns(info),
  ]);
}

function overview(file: string, info: ModelInfo): Facts {
  const weights = info.parameters.reduce((sum, { count: n }) => sum + n, 0);
  const zeros = info.parameters.reduce((sum, { zeros: n }) => sum + n, 0);
  const entries = [
    {
      label: 'Parameters',
      value: `${count(weights)}, of which ${count(zeros)} are zero (${percent(weights === 0 ? 0 : zeros / weights)})`,
    },
    { label: 'Size', value: `${count(info.bytes)} bytes` },
    ...(info.multiplyAccumulates === null
      ? []
      : [{ label: 'Multiply-accumulates', value: count(info.multiplyAccumulates) }]),
    { label: 'Digest', value: info.digest },
    ...flattened(withoutMethods(info.manifest), 'manifest'),
  ];
  return { kind: 'facts', title: file, entries };
}

function withoutMethods({ methods: _, ...rest }: ModelInfo['manifest']) {
  return rest;
}

// The methods that the full manifest tells of, in the order in which they ended. Whoever wrote the file wrote it.
function history({ manifest }: ModelInfo): Table[] {
  const steps: unknown[] = Array.isArray(manifest.methods) ? manifest.methods : [];
  if (steps.length === 0) return [];
  const rows = steps.filter(isObject).map(({ method, seed, inputs }) => {
    const named = isObject(inputs) ? Object.values(inputs).flat().filter(isObject) : [];
    const names = named.flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
    return [String(method), String(seed), names.join(', ') || '–'];
  });
  const columns = ['Method', 'Seed', 'Domains'].map(text);
  return [table('What made it', columns, rows, 'With all options and digests: --json.')];
}

function layerTable({ layers }: Model, { costs }: ModelInfo): Table {
  const rows = layers.map(({ path, kind, weightShape, norm, aliases, prunable }) => {
    const calls = costs.filter((cost) => cost.path === path);
    return [
      aliases.length === 0 ? path : `${path} (tied: ${aliases.join(', ')})`,
      kind,
      weightShape.join('×'),
      norm ?? '–',
      prunable ? 'yes' : 'no',
      calls.map(({ outputShape }) => outputShape.join('×')).join('; ') || '–',
      calls.length === 0 ? '–' : count(calls.reduce((sum, { multiplyAccumulates: n }) => sum + n, 0)),
    ];
  });
  const columns = ['Layer', 'Kind', 'Weight', 'Norm', 'Prunable'].map(text);
  if (costs.length > 0)
    return table('Layers', [...columns, text('Output'), number('Multiply-accumulates')], rows);
  const known = rows.map((row) => row.slice(0, columns.length));
  return table('Layers', columns, known, 'What each layer costs: --input-shape.');
}

function parameterTable({ parameters }: ModelInfo): Table {
  const rows = parameters.map(({ path, shape, dtype, count: n, zeros }) => [
    path,
    shape.join('×'),
    dtype,
    count(n),
    count(zeros),
    percent(n === 0 ? 0 : zeros / n),
  ]);
  return table(
    'Parameters',
    [text('Parameter'), text('Shape'), text('Type'), ...['Values', 'Zeros', 'Sparsity'].map(number)],
    rows,
  );
}

function unknowns({ unknowns: parts }: ModelInfo): Table[] {
  if (parts.length === 0) return [];
  const rows = parts.map(({ op, source, reason }) => [op, source, reason]);
  return [table('What the analysis cannot follow', ['Operator', 'Source', 'Reason'].map(text), rows)];
}
