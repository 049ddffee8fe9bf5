import * as z from 'zod';
import { count, duration, figure, percent } from '../format.js';

const share = z.object({ accuracy: z.number(), interval: z.array(z.number()) });
const change = z.object({
  before: share,
  after: share,
  lost: z.number(),
  interval: z.array(z.number()),
  share: z.number().nullable(),
});

/** What one way to bind a model keeps, takes and needs. */
export const bindingFigures = z.object({
  source: change,
  target: change,
  areaHeld: z.number().nullable(),
  areaReleased: z.number().nullable(),
  data: z.object({ source: z.number(), target: z.number(), targetLabels: z.boolean() }).nullable(),
  seconds: z.number().nullable(),
  revocable: z.boolean().nullable(),
});
type Binding = z.infer<typeof bindingFigures>;
type Change = z.infer<typeof change>;

/** 0.012 as "1.2 points". */
export const points = (share: number) => `${(share * 100).toFixed(1)} points`;

const nothing = '–';
const fromTo = ({ before, after }: Change) => `${percent(before.accuracy)} to ${percent(after.accuracy)}`;
const bounds = ({ interval: [low = 0, high = 0] }: Change) => `${(low * 100).toFixed(1)} to ${points(high)}`;
const words = (value: boolean | null | undefined, yes: string, no: string) =>
  typeof value === 'boolean' ? (value ? yes : no) : nothing;

export interface BindingRow {
  label: string;
  value: (binding: Binding) => string;
}

/** What it keeps, takes and resists. */
export const effects: readonly BindingRow[] = [
  { label: 'Source, no training', value: ({ source }) => fromTo(source) },
  { label: 'Source lost', value: ({ source }) => points(source.lost) },
  { label: 'Source lost, 95% interval', value: ({ source }) => bounds(source) },
  { label: 'Target, no training', value: ({ target }) => fromTo(target) },
  { label: 'Target lost', value: ({ target }) => points(target.lost) },
  { label: 'Target lost, share', value: ({ target }) => percent(target.share) },
  { label: 'SLC-AUC, zeros held', value: ({ areaHeld }) => figure(areaHeld) },
  { label: 'SLC-AUC, zeros released', value: ({ areaReleased }) => figure(areaReleased) },
];

/** What it needed, and what can be undone. */
export const needs: readonly BindingRow[] = [
  { label: 'Images of the source', value: ({ data }) => count(data?.source) },
  { label: 'Images of the target', value: ({ data }) => count(data?.target) },
  { label: 'Labels of the target', value: ({ data }) => words(data?.targetLabels, 'needed', 'not needed') },
  {
    label: 'Time to protect',
    value: ({ seconds }) => duration(seconds === null ? null : seconds * 1000),
  },
  { label: 'Can be taken back', value: ({ revocable }) => words(revocable, 'by a key', 'no') },
];
