import * as z from 'zod';
import { number, table, text } from '../blocks.js';
import { interval, percent } from '../format.js';
import { domainName } from '../words.js';
import { answers, attackFigures, attackPresentation, cost } from './attack.js';
import { presenter } from './presenter.js';

const mark = z.object({ digest: z.string(), before: answers, after: answers });
const figures = attackFigures.extend({ owner: mark.nullable(), attacker: mark });

/** What `attack.overwrite` reports. */
export const attackOverwrite = presenter(figures, (figures, report) => {
  const { owner, attacker, before, after } = figures;
  const domain = domainName(report);
  const shown = attackPresentation(
    figures,
    report,
    `Bound once more, to a key of the attacker: its accuracy on ${domain}`,
    [
      table(
        'Under each pattern',
        [text('Images'), ...['Before', '95% interval', 'After', '95% interval'].map(number)],
        [
          ['Plain', { before, after }] as const,
          ...(owner === null ? [] : [["The owner's pattern", owner] as const]),
          ["The attacker's pattern", attacker] as const,
        ].map(([images, of]) => [
          images,
          percent(of.before.accuracy),
          interval(of.before.interval),
          percent(of.after.accuracy),
          interval(of.after.interval),
        ]),
        'A mark is in the model as far as it is right on plain images and wrong under the pattern.',
      ),
      {
        kind: 'facts',
        title: 'Digests of key and pattern',
        entries: [
          ...(owner === null ? [] : [{ label: "The owner's", value: owner.digest }]),
          { label: "The attacker's", value: attacker.digest },
        ],
      },
      cost(figures),
    ],
  );
  if (owner === null) return shown;
  const changed = `it went from ${percent(owner.before.accuracy)} to ${percent(owner.after.accuracy)}`;
  return {
    ...shown,
    summary: `${shown.summary} Under the owner's pattern, which should make it wrong, ${changed}.`,
    highlights: [
      ...shown.highlights,
      {
        label: "After, owner's pattern",
        value: percent(owner.after.accuracy),
        note: `before ${percent(owner.before.accuracy)}`,
      },
    ],
  };
});
