import { anyColour, type Colour, contrasting, luminance } from '../drawing/colours.js';
import { families } from '../drawing/families.js';
import { type Face, type Glyph, loadFaces } from '../drawing/fonts.js';
import { type Affine, type Contour, fill, outline, transform } from '../drawing/raster.js';
import { Random } from '../random.js';
import { digits, type Images, type Kitchen, type Recipe, type RoleName } from '../recipe.js';

const kSize = 28;
const kPixels = kSize * kSize;
const kCounts: Record<RoleName, number> = { fit: 20_000, report: 4_000 };
// In luminance, of 255: digits stay readable on every background.
const kContrast = 70;

/** Red, green and blue planes of one picture, as floating point until everything is drawn. */
type Planes = readonly [Float64Array, Float64Array, Float64Array];

export const syn: Recipe = {
  name: 'syn',
  version: 1,
  shape: [3, kSize, kSize],
  classNames: digits,
  source: 'digits rendered with DejaVu and twelve other open font families',
  licence:
    'Bitstream Vera (DejaVu) and SIL Open Font License 1.1 (the other fonts); the pictures are ours, MIT',
  recipe:
    'after Syn Numbers (Ganin et al. 2016): font, size, rotation, shear, neighbours, outline, shadow, colours, ' +
    'background, blur and noise drawn at random; four font families are seen in report only',
  async make(kitchen) {
    const faces = await kitchen.step('reads the fonts', () => loadFamilies(kitchen));
    const make = (role: RoleName) => {
      const count = Math.min(kCounts[role], kitchen.limit);
      const choices = faces
        .filter(({ onlyReport }) => role === 'report' || !onlyReport)
        .map((family) => family.faces);
      return kitchen.step(`draws ${count.toLocaleString('en')} digits for ${role}`, () =>
        drawAll(count, choices, (i) => new Random(`syn/${kitchen.seed}/${role}/${i}`)),
      );
    };
    return { fit: await make('fit'), report: await make('report') };
  },
};

async function loadFamilies(kitchen: Kitchen) {
  const loaded: { onlyReport: boolean; faces: Face[] }[] = [];
  for (const family of families) {
    loaded.push({ onlyReport: family.onlyReport, faces: await loadFaces(family, kitchen) });
  }
  return loaded;
}

function drawAll(count: number, choices: readonly Face[][], randomOf: (i: number) => Random): Images {
  const data = new Uint8Array(count * 3 * kPixels);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % digits.length);
  labels.forEach((label, i) => {
    const random = randomOf(i);
    const planes = draw(label, random.pick(random.pick(choices)), random);
    planes.forEach((plane, channel) => {
      const start = (3 * i + channel) * kPixels;
      for (let k = 0; k < kPixels; ++k) data[start + k] = Math.round(Math.min(Math.max(plane[k]!, 0), 255));
    });
  });
  return { data, labels };
}

function draw(label: number, face: Face, random: Random): Planes {
  const ink = anyColour(random);
  const sign = luminance(ink) > 127.5 ? -1 : 1;
  const paper = () => contrasting(ink, sign * kContrast, random);
  const planes = background(paper, random);
  const shape = layOut(label, face, random);
  const solid = fill(shape, kSize);
  // A shadow beside dark ink would hide it.
  if (sign < 0 && random.chance(0.4)) shade(planes, solid, random);
  const style = random.uniform();
  if (style < 0.2) paint(planes, fill(outline(shape, random.uniform(1.5, 3)), kSize), paper());
  if (style > 0.9) paint(planes, fill(outline(shape, random.uniform(1, 1.6)), kSize), ink);
  else paint(planes, solid, ink);
  soften(planes, random.below(3));
  addNoise(planes, random.uniform(0, 12), random);
  return planes;
}

/** The digit near the middle and, at times, parts of neighbours at its sides. */
function layOut(label: number, face: Face, random: Random): Contour[] {
  const glyph = face[label]!;
  const stretch = random.uniform(0.85, 1.2);
  const height = Math.min(random.uniform(15, 22), 22 / (glyph.width * stretch));
  const shear = random.uniform(-0.25, 0.25);
  // By up to 17 degrees: t is the tangent of half the angle.
  const t = random.uniform(-0.15, 0.15);
  const cos = (height * (1 - t * t)) / (1 + t * t);
  const sin = (height * 2 * t) / (1 + t * t);
  const middle = [kSize / 2 + random.uniform(-2.5, 2.5), kSize / 2 + random.uniform(-2.5, 2.5)] as const;
  // Rotation after shear and stretch, `along` heights beside the middle.
  const place = (along: number): Affine => [
    cos * stretch,
    sin * stretch,
    cos * shear - sin,
    sin * shear + cos,
    middle[0] + cos * along,
    middle[1] + sin * along,
  ];
  const contours = transform(glyph.contours, place(0));
  const neighbour = (side: -1 | 1) => {
    const other: Glyph = random.pick(face);
    const distance = (stretch * (glyph.width + other.width)) / 2 + random.uniform(0.12, 0.25);
    contours.push(...transform(other.contours, place(side * distance)));
  };
  if (random.chance(0.3)) neighbour(-1);
  if (random.chance(0.3)) neighbour(1);
  return contours;
}

function background(paper: () => Colour, random: Random): Planes {
  const planes: Planes = [new Float64Array(kPixels), new Float64Array(kPixels), new Float64Array(kPixels)];
  const [first, second] = [paper(), paper()];
  const share = random.pick([plain, gradient, stripes, clouds])(random);
  for (let y = 0; y < kSize; ++y) {
    for (let x = 0; x < kSize; ++x) {
      const t = share(x, y);
      planes.forEach((plane, channel) => {
        plane[y * kSize + x] = first[channel]! * (1 - t) + second[channel]! * t;
      });
    }
  }
  return planes;
}

/** The share of the second colour at a pixel, 0..1. */
type Pattern = (x: number, y: number) => number;

function plain(): Pattern {
  return () => 0;
}

function gradient(random: Random): Pattern {
  const [dx, dy] = direction(random);
  return (x, y) => clamp(0.5 + ((x - kSize / 2) * dx + (y - kSize / 2) * dy) / kSize);
}

function stripes(random: Random): Pattern {
  const [dx, dy] = direction(random);
  const period = random.uniform(5, 20);
  const phase = random.uniform();
  return (x, y) => {
    const at = (x * dx + y * dy) / period + phase;
    return clamp((Math.abs(at - Math.floor(at) - 0.5) - 0.25) * period + 0.5);
  };
}

function clouds(random: Random): Pattern {
  const cells = 2 + random.below(5);
  const values = Array.from({ length: (cells + 1) ** 2 }, () => random.uniform());
  const value = (row: number, column: number) => values[row * (cells + 1) + column]!;
  return (x, y) => {
    const [u, v] = [(x / kSize) * cells, (y / kSize) * cells];
    const [column, row] = [Math.floor(u), Math.floor(v)];
    const blend = (line: number) =>
      value(line, column) * (column + 1 - u) + value(line, column + 1) * (u - column);
    return blend(row) * (row + 1 - v) + blend(row + 1) * (v - row);
  };
}

/** A vector of length 1. */
function direction(random: Random): [x: number, y: number] {
  for (;;) {
    const [x, y] = [random.uniform(-1, 1), random.uniform(-1, 1)];
    const squared = x * x + y * y;
    if (squared > 0.01 && squared < 1) return [x / Math.sqrt(squared), y / Math.sqrt(squared)];
  }
}

function clamp(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

function paint(planes: Planes, coverage: Float64Array, colour: Colour): void {
  planes.forEach((plane, channel) => {
    for (let k = 0; k < kPixels; ++k) plane[k]! += (colour[channel]! - plane[k]!) * coverage[k]!;
  });
}

/** A darker copy of the shape a pixel or two aside, as cast by a light. */
function shade(planes: Planes, coverage: Float64Array, random: Random): void {
  const [dx, dy] = [random.pick([-2, -1, 1, 2]), random.pick([-2, -1, 1, 2])];
  const strength = random.uniform(0.3, 0.6);
  for (let y = 0; y < kSize; ++y) {
    for (let x = 0; x < kSize; ++x) {
      const [fromX, fromY] = [x - dx, y - dy];
      if (fromX < 0 || fromX >= kSize || fromY < 0 || fromY >= kSize) continue;
      const kept = 1 - strength * coverage[fromY * kSize + fromX]!;
      for (const plane of planes) plane[y * kSize + x]! *= kept;
    }
  }
}

/** Blurs with the kernel 1 2 1 both ways, `times` times. */
function soften(planes: Planes, times: number): void {
  for (const plane of planes) {
    for (let time = 0; time < times; ++time) {
      blurLines(plane, 1, kSize);
      blurLines(plane, kSize, 1);
    }
  }
}

function blurLines(plane: Float64Array, along: number, across: number): void {
  const line = new Float64Array(kSize);
  for (let start = 0; start < kSize; ++start) {
    for (let k = 0; k < kSize; ++k) line[k] = plane[start * across + k * along]!;
    for (let k = 0; k < kSize; ++k) {
      const [before, after] = [line[Math.max(k - 1, 0)]!, line[Math.min(k + 1, kSize - 1)]!];
      plane[start * across + k * along] = (before + 2 * line[k]! + after) / 4;
    }
  }
}

/** Nearly Gaussian: the sum of four uniform draws. */
function addNoise(planes: Planes, deviation: number, random: Random): void {
  const scale = deviation * Math.sqrt(3);
  for (const plane of planes) {
    for (let k = 0; k < kPixels; ++k) {
      const sum = random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2;
      plane[k]! += sum * scale;
    }
  }
}
