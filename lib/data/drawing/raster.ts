// Only + - * / and square roots, which are exact to the last bit everywhere: the functions of angles and powers
// differ between versions of Node.

/** A closed line through points x0, y0, x1, y1, ... */
export type Contour = Float64Array;

/** x' = a x + c y + e, y' = b x + d y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

// Lines of samples per pixel; across a line the coverage is exact.
const kLines = 4;

export function transform(contours: readonly Contour[], [a, b, c, d, e, f]: Affine): Contour[] {
  return contours.map((points) => {
    const moved = new Float64Array(points.length);
    for (let i = 0; i < points.length; i += 2) {
      const x = points[i]!;
      const y = points[i + 1]!;
      moved[i] = a * x + c * y + e;
      moved[i + 1] = b * x + d * y + f;
    }
    return moved;
  });
}

interface Crossing {
  x: number;
  direction: number;
}

/** How much of each pixel of a square picture lies inside the contours (nonzero winding), 0..1. */
export function fill(contours: readonly Contour[], size: number): Float64Array {
  const lines: Crossing[][] = Array.from({ length: size * kLines }, () => []);
  for (const points of contours) addCrossings(points, lines);
  const coverage = new Float64Array(size * size);
  lines.forEach((crossings, line) => {
    crossings.sort((left, right) => left.x - right.x);
    let winding = 0;
    crossings.forEach(({ x, direction }, i) => {
      if (winding !== 0) addSpan(coverage, Math.floor(line / kLines) * size, size, crossings[i - 1]!.x, x);
      winding += direction;
    });
  });
  return coverage;
}

function addCrossings(points: Contour, lines: Crossing[][]): void {
  const count = points.length / 2;
  for (let i = 0; i < count; ++i) {
    const next = (i + 1) % count;
    const down = points[2 * next + 1]! > points[2 * i + 1]!;
    const top = down ? i : next;
    const bottom = down ? next : i;
    const y0 = points[2 * top + 1]! * kLines - 0.5;
    const y1 = points[2 * bottom + 1]! * kLines - 0.5;
    if (y0 === y1) continue;
    const x0 = points[2 * top]!;
    const slope = (points[2 * bottom]! - x0) / (y1 - y0);
    const last = Math.min(Math.ceil(y1), lines.length);
    for (let line = Math.max(Math.ceil(y0), 0); line < last; ++line) {
      lines[line]!.push({ x: x0 + (line - y0) * slope, direction: down ? 1 : -1 });
    }
  }
}

function addSpan(coverage: Float64Array, row: number, size: number, from: number, to: number): void {
  const left = Math.max(from, 0);
  const right = Math.min(to, size);
  for (let x = Math.floor(left); x < right; ++x) {
    coverage[row + x]! += (Math.min(right, x + 1) - Math.max(left, x)) / kLines;
  }
}

const kDiagonal = Math.sqrt(0.5);
// Around in the same sense as a bar below: overlapping parts add up instead of cancelling.
const kOctagon = [
  [1, 0],
  [kDiagonal, kDiagonal],
  [0, 1],
  [-kDiagonal, kDiagonal],
  [-1, 0],
  [-kDiagonal, -kDiagonal],
  [0, -1],
  [kDiagonal, -kDiagonal],
] as const;

/** Contours whose fill is the line of `width` along the given ones, with round joints. */
export function outline(contours: readonly Contour[], width: number): Contour[] {
  const radius = width / 2;
  return contours.flatMap((points) => {
    const count = points.length / 2;
    return Array.from({ length: count }, (_, i) => {
      const next = (i + 1) % count;
      return [disc(points, i, radius), bar(points, i, next, radius)];
    }).flat();
  });
}

function disc(points: Contour, i: number, radius: number): Contour {
  const corners = new Float64Array(2 * kOctagon.length);
  kOctagon.forEach(([x, y], k) => {
    corners[2 * k] = points[2 * i]! + radius * x;
    corners[2 * k + 1] = points[2 * i + 1]! + radius * y;
  });
  return corners;
}

function bar(points: Contour, from: number, to: number, radius: number): Contour {
  const [x0, y0] = [points[2 * from]!, points[2 * from + 1]!];
  const [x1, y1] = [points[2 * to]!, points[2 * to + 1]!];
  const length = Math.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)) || 1;
  const nx = (-(y1 - y0) / length) * radius;
  const ny = ((x1 - x0) / length) * radius;
  return Float64Array.of(x0 - nx, y0 - ny, x1 - nx, y1 - ny, x1 + nx, y1 + ny, x0 + nx, y0 + ny);
}
