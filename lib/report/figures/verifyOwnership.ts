import * as z from 'zod';
import { type Block, number, table, text } from '../blocks.js';
import { count, figure, interval, isNumber, percent, plural } from '../format.js';
import { domainName } from '../words.js';
import { presenter } from './presenter.js';
import { bounds, maybe } from './share.js';

const answers = z.object({ accuracy: z.number(), interval: bounds });
const answer = z.object({
  plain: answers,
  patched: answers,
  pairs: z.object({ onlyFirst: z.number(), onlySecond: z.number() }),
  drop: maybe,
  log10PValue: z.number(),
  claims: z.boolean(),
});
const calibration = z.object({
  trials: z.number(),
  claims: z.number(),
  interval: bounds,
  log10PValue: maybe,
  largestDrop: maybe,
  answers: z.array(answer),
});

/** What `authorize.verifyOwnership` reports. */
const schema = z.object({
  verdict: z.enum(['proven', 'notProven', 'contradicted']),
  patch: z.string(),
  queries: z.number(),
  suspect: answer,
  wrongKeys: calibration,
  honest: calibration,
  rankPValue: maybe,
});
type Figures = z.infer<typeof schema>;

const verdicts = {
  proven: 'The suspect reacts to the key as the model does that was bound to it.',
  notProven: 'The suspect does not react to the key enough for a claim, which proves nothing either way.',
  contradicted:
    'The suspect meets the criteria, and so does a wrong key or an honest model: the pattern itself takes the answers, and the claim fails.',
};

export const verifyOwnership = presenter(schema, (figures, report) => {
  const { suspect, verdict, queries, rankPValue } = figures;
  return {
    title: {
      proven: 'Ownership: proven',
      notProven: 'Ownership: not proven',
      contradicted: 'Ownership: contradicted',
    }[verdict],
    summary:
      `${verdicts[verdict]} Of ${plural(queries, 'image')} of ${domainName(report)} it is right on ` +
      `${percent(suspect.plain.accuracy)} of the plain ones and on ${percent(suspect.patched.accuracy)} of those ` +
      'with the pattern. It is not said who trained it, nor when the key was made: whoever has the weights can bind ' +
      'them to a key of his own. Publish the digest before a dispute.',
    highlights: [
      { label: 'p-value', value: power(suspect.log10PValue), note: "McNemar's exact test, one-sided" },
      {
        label: 'Drop under the key',
        value: percent(suspect.drop),
        note: `${percent(suspect.plain.accuracy)} plain`,
      },
      {
        label: 'False claims',
        value: `${figures.wrongKeys.claims + figures.honest.claims} of ${figures.wrongKeys.trials + figures.honest.trials}`,
        note: isNumber(rankPValue) ? `rank p-value ${figure(rankPValue)}` : 'no wrong keys asked',
      },
    ],
    blocks: [calibrations(figures), facts(figures)],
  };
});

const power = (log10: number) => (log10 > -3 ? figure(10 ** log10) : `10^${log10.toFixed(1)}`);

function calibrations({ suspect, wrongKeys, honest }: Figures): Block {
  const one = (name: string, row: z.infer<typeof answer>) => [
    name,
    percent(row.plain.accuracy),
    percent(row.patched.accuracy),
    percent(row.drop),
    count(row.pairs.onlyFirst),
    count(row.pairs.onlySecond),
    power(row.log10PValue),
    row.claims ? 'claims' : 'no',
  ];
  const several = (name: string, group: z.infer<typeof calibration>) =>
    group.answers.map((row, i) => one(`${name} ${i + 1}`, row));
  return table(
    'Who reacts to what',
    [
      text(''),
      ...['Plain', 'Patched', 'Drop', 'Only plain right', 'Only patched right', 'p-value'].map(number),
      text('Claim'),
    ],
    [
      one('suspect, key', suspect),
      ...several('suspect, wrong key', wrongKeys),
      ...several('honest model, key', honest),
    ],
  );
}

function facts({ patch, wrongKeys, honest }: Figures): Block {
  const rate = (group: z.infer<typeof calibration>) =>
    group.trials === 0
      ? 'none asked'
      : `${count(group.claims)} of ${count(group.trials)} claim (at 95 %: ${interval(group.interval)}), smallest p-value ${power(group.log10PValue ?? 0)}`;
  return {
    kind: 'facts',
    title: 'Calibration',
    entries: [
      { label: 'Wrong keys', value: rate(wrongKeys) },
      { label: 'Honest models', value: rate(honest) },
      { label: 'Digest of key and pattern', value: patch },
    ],
  };
}
