import { number, type Presentation, table, text } from './blocks.js';
import { areaAt, authorizationFigures, domainOf } from './figures/authorization.js';
import { type BindingRow, effects, needs } from './figures/binding.js';
import { count, figure, listInWords, percent } from './format.js';
import { type AnyReport, isObject } from './report.js';

/** A protected model among others that were judged on the same domains. */
interface Judged {
  report: AnyReport;
  figures: NonNullable<ReturnType<typeof figuresOf>>;
}

/** Models that were bound in several ways to one source, against one target, side by side. */
export function comparisons(reports: readonly AnyReport[]): Presentation[] {
  const groups = new Map<string, Judged[]>();
  for (const report of reports) {
    const [figures, domains] = [figuresOf(report), domainsOf(report)];
    if (figures === undefined || domains === undefined) continue;
    groups.set(domains, [...(groups.get(domains) ?? []), { report, figures }]);
  }
  return [...groups.values()].filter((group) => group.length > 1).map(compare);
}

function figuresOf({ method, figures }: AnyReport) {
  if (method !== 'evaluate.authorization') return undefined;
  const { data } = authorizationFigures.safeParse(figures);
  return data?.binding === undefined ? undefined : { ...data, binding: data.binding };
}

function domainsOf({ inputs }: AnyReport): string | undefined {
  const { source, target } = inputs ?? {};
  return isObject(source) && isObject(target) ? JSON.stringify([source, target]) : undefined;
}

function compare(group: Judged[]): Presentation {
  const { report } = group[0] as Judged;
  const [source, target] = [domainOf(report, 'source'), domainOf(report, 'target')];
  const row = (label: string, value: (figures: Judged['figures']) => string) => [
    label,
    ...group.map(({ figures }) => value(figures)),
  ];
  const ofBinding = ({ label, value }: BindingRow) => row(label, ({ binding }) => value(binding));
  return {
    title: `${count(group.length)} ways to bind a model to ${source}`,
    summary: `What each keeps of ${source}, takes from ${target} and needs for it, and how it stands against fine-tuning on ${target}.`,
    highlights: [],
    blocks: [
      table(
        'Side by side',
        [text(''), ...named(group).map(number)],
        [
          row('Verdict', ({ verdict }) => verdict.outcome),
          row('Cheapest attack, factor', ({ verdict }) => figure(verdict.cheapest?.costFactor)),
          ...effects.map(ofBinding),
          row('SLC-AUC, unprotected', ({ original, steps }) => figure(areaAt(original, steps))),
          row('SLC-AUC held, terms off', (figures) => figure(termsOff(figures)?.areaHeld)),
          row('SLC-AUC released, terms off', (figures) => figure(termsOff(figures)?.areaReleased)),
          ...needs.map(ofBinding),
          row('Sparsity', ({ sparsity }) => percent(sparsity)),
        ],
        `SLC-AUC: the area between the learning curve of fine-tuning and that of training from scratch; positive: the model helps. Terms off: the protecting run without its protecting terms. Time to protect is with that run's own controls. A dash: not measured, or not told by the manifest.${caution(group)}`,
      ),
    ],
  };
}

const termsOff = ({ controls }: Judged['figures']) => controls.find(({ control }) => control === 'terms-off');

// By the method that protected; several of one method are numbered.
function named(group: Judged[]): string[] {
  const names = group.map(({ figures }) => figures.method?.replace(/^authorize\./, '') ?? 'unnamed');
  return names.map((name, i) => {
    const same = names.flatMap((other, at) => (other === name ? [at] : []));
    return same.length === 1 ? name : `${name} (${same.indexOf(i) + 1})`;
  });
}

// What the areas and the verdict hang on beside the model.
const settings: readonly [string, (judged: Judged) => unknown][] = [
  ['originals', ({ report }) => (isObject(report.inputs?.original) ? report.inputs.original.digest : null)],
  ['numbers of samples', ({ figures }) => figures.scratch.map(({ samples }) => samples)],
  ['steps', ({ figures }) => figures.scratch[0]?.readings.map(({ steps }) => steps)],
  ['training options', ({ report: { options } }) => [options?.batchSize, options?.learningRate]],
  ['attacks', ({ figures }) => [...figures.attacks, ...figures.leftOut].map(({ attack }) => attack).sort()],
  ['report samples', ({ report: { options } }) => options?.reportSamples],
  ['seeds', ({ report }) => report.seed],
];

function caution(group: Judged[]): string {
  const differing = settings.flatMap(([name, of]) =>
    new Set(group.map((judged) => JSON.stringify(of(judged) ?? null))).size > 1 ? [name] : [],
  );
  return differing.length === 0
    ? ''
    : ` The models were not judged alike: the ${listInWords(differing)} differ.`;
}
