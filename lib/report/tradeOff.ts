import type { Specification } from './blocks.js';
import { frame, kAccent, kInk } from './charts.js';

export interface Kept {
  /** In (0, 1]. */
  density: number;
  accuracy: number;
}

/** Accuracy over the share of weights that is left, on a logarithmic axis; a dashed line at `dense`. */
export function tradeOff(points: Kept[], dense: number) {
  return (width: number): Specification => ({
    ...frame(width, 240),
    encoding: {
      x: {
        type: 'quantitative',
        scale: { type: 'log', nice: false, reverse: true },
        axis: { title: 'Share of the weights that is left', format: '~%', grid: false, tickCount: 5 },
      },
      y: {
        type: 'quantitative',
        scale: { zero: false, nice: true },
        axis: { title: 'Accuracy on select data', format: '.1%', tickCount: 5 },
      },
    },
    layer: [
      {
        data: { values: points },
        mark: {
          type: 'line',
          color: kAccent,
          strokeWidth: 2,
          point: { filled: true, size: 36, color: kAccent },
        },
        encoding: { x: { field: 'density' }, y: { field: 'accuracy' }, order: { field: 'density' } },
      },
      {
        data: { values: [{}] },
        mark: { type: 'rule', color: kInk, strokeDash: [3, 3] },
        encoding: { x: null, y: { datum: dense } },
      },
      {
        data: { values: [{}] },
        mark: { type: 'text', color: kInk, fontSize: 12, align: 'left', dy: -8, x: 4 },
        encoding: { x: null, y: { datum: dense }, text: { value: 'before pruning' } },
      },
    ],
  });
}

export interface Trial {
  strength: number;
  sourceAccuracy: number;
  attackedAccuracy: number;
  chosen: boolean;
}

/** What an attack reaches over what the source has left, a point a strength; a dashed line at the floor. */
export function trials(points: Trial[], floor: number) {
  const values = points.map((trial) => ({ ...trial, name: `× ${Number(trial.strength.toPrecision(3))}` }));
  const axis = (title: string) => ({ title, format: '.0%', tickCount: 5 });
  return (width: number): Specification => ({
    ...frame(width, 240),
    encoding: {
      x: {
        type: 'quantitative',
        scale: { zero: false, nice: true },
        axis: { ...axis('Source accuracy'), grid: false },
      },
      y: { type: 'quantitative', scale: { zero: true, nice: true }, axis: axis('Accuracy after the attack') },
    },
    layer: [
      {
        data: { values: [{}] },
        mark: { type: 'rule', color: kInk, strokeDash: [3, 3] },
        encoding: { x: { datum: floor }, y: null },
      },
      {
        data: { values: [{}] },
        mark: { type: 'text', color: kInk, fontSize: 12, align: 'right', dx: -6, y: 8 },
        encoding: { x: { datum: floor }, y: null, text: { value: 'floor' } },
      },
      {
        data: { values },
        mark: { type: 'point', size: 90, opacity: 1, stroke: kAccent, strokeWidth: 2 },
        encoding: {
          x: { field: 'sourceAccuracy' },
          y: { field: 'attackedAccuracy' },
          fill: { condition: { test: 'datum.chosen', value: kAccent }, value: 'var(--card)' },
        },
      },
      {
        data: { values },
        mark: { type: 'text', color: kInk, fontSize: 12, dy: -13 },
        encoding: {
          x: { field: 'sourceAccuracy' },
          y: { field: 'attackedAccuracy' },
          text: { field: 'name' },
        },
      },
    ],
  });
}

/** How many weights there are of each magnitude; those below the threshold, which were pruned, are faint. */
export function magnitudes(counts: readonly number[], largest: number, threshold: number) {
  const step = largest / counts.length;
  // A logarithm would lose what is 0, and a plain axis the few large weights.
  const values = counts.map((n, i) => ({
    from: i * step,
    to: (i + 1) * step,
    root: Math.sqrt(n),
    pruned: (i + 0.5) * step < threshold,
  }));
  return (width: number): Specification => ({
    ...frame(width, 200),
    encoding: { x: { type: 'quantitative', axis: { title: 'Magnitude', grid: false, tickCount: 6 } } },
    layer: [
      {
        data: { values },
        mark: { type: 'rect', color: kAccent },
        encoding: {
          x: { field: 'from' },
          x2: { field: 'to' },
          y: {
            field: 'root',
            type: 'quantitative',
            axis: {
              title: 'Weights (square-root axis)',
              tickCount: 4,
              labelExpr: "format(datum.value * datum.value, '~s')",
            },
          },
          y2: { datum: 0 },
          opacity: { condition: { test: 'datum.pruned', value: 0.3 }, value: 1 },
        },
      },
      {
        data: { values: [{}] },
        mark: { type: 'rule', color: kInk, strokeDash: [3, 3] },
        encoding: { x: { datum: threshold } },
      },
    ],
  });
}
