import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  count,
  duration,
  figure,
  interval,
  label,
  moment,
  percent,
  percentInWords,
  shorten,
} from '../../lib/report/format.js';

const cases = <Input>(name: string, show: (value: Input) => string, table: [Input, string][]) =>
  test(name, () => {
    for (const [value, text] of table) assert.is(show(value), text);
  });

cases('shares are percentages of two decimals', percent as (share: number | null) => string, [
  [0.98734, '98.73%'],
  [1, '100.00%'],
  [0, '0.00%'],
  [-0.5, '-50.00%'],
  [null, '–'],
  [Number.NaN, '–'],
]);

cases('in a sentence they end where they may', percentInWords, [
  [0.9, '90%'],
  [1, '100%'],
  [0, '0%'],
  [0.985, '98.5%'],
  [0.9083, '90.83%'],
]);

cases('an interval has one sign', interval, [
  [[0.9845, 0.9897], '98.45–98.97%'],
  [null, '–'],
  [[null, 0.5], '–'],
]);

cases('counts have separators of thousands', count, [
  [0, '0'],
  [241760, '241,760'],
  [1234567, '1,234,567'],
]);

cases('figures have four digits', figure, [
  [0.123456, '0.1235'],
  [12.3456, '12.35'],
  [0.00001234, '1.23e-5'],
  [3, '3'],
  [12345.67, '12,345.7'],
]);

cases('durations read as people say them', duration, [
  [820, '820 ms'],
  [4200, '4.2 s'],
  [59_990, '1 min 00 s'],
  [185_000, '3 min 05 s'],
  [7_800_000, '2 h 10 min'],
  [undefined, '–'],
]);

cases('moments are in UTC', moment, [
  ['2026-11-23T22:27:19.120Z', '23 Nov 2026, 22:27 UTC'],
  ['yesterday', '–'],
]);

cases('names become words', label, [
  ['expectedCalibrationError', 'Expected calibration error'],
  ['loss', 'Loss'],
]);

test('a long name loses its middle and keeps its ends', () => {
  assert.is(shorten('encoder.layers.11.attention.weight', 15), 'encoder….weight');
  assert.is(shorten('head', 15), 'head');
});

test.run();
