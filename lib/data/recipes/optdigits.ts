import { gunzipSync } from 'node:zlib';
import { EspalierError } from '../../errors.js';
import { digits, first, type Images, type Recipe, select, sha256 } from '../recipe.js';

const kSide = 8;
const kSize = 28;
const kReportFraction = 500 / 1797;
const kFile = 'sklearn/datasets/data/digits.csv.gz';

export const optdigits: Recipe = {
  name: 'optdigits',
  version: 1,
  shape: [1, kSize, kSize],
  classNames: digits,
  source:
    'Optical Recognition of Handwritten Digits (Alpaydin, Kaynak; UCI), the copy of its test set in scikit-learn',
  licence: 'CC BY 4.0 (the images); BSD-3-Clause (scikit-learn)',
  recipe:
    '8 x 8 counts 0..16 scaled to 0..255 and resized bilinearly (half-pixel centres) to 28 x 28; ' +
    'of each class the 27.8 % with the lowest SHA-256 of seed and pixels are report, the rest fit',
  async make({ seed, limit, fromWheel, step }) {
    const table = await fromWheel(kFile);
    return step('resizes 1,797 handwritten digits from 8 x 8', () => {
      const small = parse(gunzipSync(table).toString('latin1'));
      const { fit, report } = splitByContent(small, seed);
      const enlarge = (order: number[]) =>
        first(resize(select(small, order, kSide * kSide)), limit, kSize * kSize);
      return { fit: enlarge(fit), report: enlarge(report) };
    });
  },
};

/** Lines of 64 counts and a label. */
function parse(table: string): Images {
  const rows = table.trim().split('\n');
  const data = new Uint8Array(rows.length * kSide * kSide);
  const labels = new Uint8Array(rows.length);
  rows.forEach((row, i) => {
    const values = row.split(',').map(Number);
    const good =
      values.length === 65 && values.every((v, k) => Number.isInteger(v) && v >= 0 && v <= (k < 64 ? 16 : 9));
    if (!good) {
      throw new EspalierError(
        'ERR_DATA_INVALID',
        `${kFile}: expected 64 counts in 0..16 and a digit in line ${i + 1}, found '${row.slice(0, 40)}'`,
      );
    }
    data.set(values.slice(0, 64), i * 64);
    labels[i] = values[64]!;
  });
  return { data, labels };
}

/** Equal images have equal keys, so that they end on the same side. */
function splitByContent({ data, labels }: Images, seed: number): { fit: number[]; report: number[] } {
  const keys = Array.from(labels, (_, i) =>
    sha256(Buffer.concat([Buffer.from(`optdigits/${seed}/`), data.subarray(i * 64, (i + 1) * 64)])),
  );
  const report = new Set<number>();
  for (const label of digits.keys()) {
    const members = [...labels.keys()].filter((i) => labels[i] === label);
    members.sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1));
    const last = keys[members[Math.round(members.length * kReportFraction) - 1]!]!;
    for (const i of members) if (keys[i]! <= last) report.add(i);
  }
  const all = [...labels.keys()];
  return { fit: all.filter((i) => !report.has(i)), report: all.filter((i) => report.has(i)) };
}

function resize({ data, labels }: Images): Images {
  const enlarged = new Uint8Array(labels.length * kSize * kSize);
  const taps = Array.from({ length: kSize }, (_, to) => {
    const at = Math.min(Math.max(((to + 0.5) * kSide) / kSize - 0.5, 0), kSide - 1);
    const low = Math.min(Math.floor(at), kSide - 2);
    return { low, weight: at - low };
  });
  for (let i = 0; i < labels.length; ++i) {
    const pixel = (y: number, x: number) => data[(i * kSide + y) * kSide + x]!;
    taps.forEach((row, y) => {
      taps.forEach((column, x) => {
        const blend = (line: number) =>
          pixel(line, column.low) * (1 - column.weight) + pixel(line, column.low + 1) * column.weight;
        const value = blend(row.low) * (1 - row.weight) + blend(row.low + 1) * row.weight;
        enlarged[(i * kSize + y) * kSize + x] = Math.round((value * 255) / 16);
      });
    });
  }
  return { data: enlarged, labels };
}
