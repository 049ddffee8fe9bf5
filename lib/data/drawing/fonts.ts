import type { Kitchen } from '../recipe.js';
import type { Package } from '../sources/npm.js';
import type { Family } from './families.js';
import type { Contour } from './raster.js';

/** A digit as contours around the origin, of height 1, and its width. */
export interface Glyph {
  contours: Contour[];
  width: number;
}

/** The ten digits of one face. */
export type Face = readonly Glyph[];

export const opentype: Package = {
  name: 'opentype.js',
  version: '1.3.5',
  bytes: 787_355,
  integrity:
    'sha512-thKDiELidAApOvXlncrpwDZKJCa9fXLEKM4+FoEWI+qTLDeNb+h7EkN+8a7KQODsB1GZ+Exz9KknkoPrEdXZDw==',
};

interface OpentypePath {
  commands: readonly (
    | { type: 'M' | 'L'; x: number; y: number }
    | { type: 'Q'; x1: number; y1: number; x: number; y: number }
    | { type: 'C'; x1: number; y1: number; x2: number; y2: number; x: number; y: number }
    | { type: 'Z' }
  )[];
}

interface Opentype {
  parse(file: ArrayBuffer): {
    charToGlyph(text: string): { getPath(x: number, y: number, size: number): OpentypePath };
  };
}

/** The faces of a family, parsed. */
export async function loadFaces({ pack, files }: Family, kitchen: Kitchen): Promise<Face[]> {
  const { parse } = (await kitchen.moduleFromNpm(opentype, 'dist/opentype.js')) as Opentype;
  const faces: Face[] = [];
  for (const file of files) {
    const bytes = await kitchen.fromNpm(pack, file);
    const font = parse(new Uint8Array(bytes).buffer);
    faces.push(
      Array.from('0123456789', (digit) => normalize(flatten(font.charToGlyph(digit).getPath(0, 0, 1)))),
    );
  }
  return faces;
}

// At 28 pixels a curve of four pieces is round.
const kPieces = 4;

function flatten(path: OpentypePath): Contour[] {
  const contours: number[][] = [];
  let points: number[] = [];
  for (const command of path.commands) {
    if (command.type === 'Z') continue;
    if (command.type === 'M') {
      points = [];
      contours.push(points);
    }
    const [x0, y0] = points.slice(-2) as [number, number];
    for (let k = 1; k <= kPieces; ++k) {
      const t = k / kPieces;
      const s = 1 - t;
      if (command.type === 'Q') {
        const blend = (p0: number, p1: number, p2: number) => s * s * p0 + 2 * s * t * p1 + t * t * p2;
        points.push(blend(x0, command.x1, command.x), blend(y0, command.y1, command.y));
      } else if (command.type === 'C') {
        const blend = (p0: number, p1: number, p2: number, p3: number) =>
          s * s * s * p0 + 3 * s * s * t * p1 + 3 * s * t * t * p2 + t * t * t * p3;
        points.push(
          blend(x0, command.x1, command.x2, command.x),
          blend(y0, command.y1, command.y2, command.y),
        );
      }
    }
    if (command.type === 'M' || command.type === 'L') points.push(command.x, command.y);
  }
  return contours.map((contour) => Float64Array.from(contour));
}

function normalize(contours: Contour[]): Glyph {
  const extent = (offset: 0 | 1) => {
    const values = contours.flatMap((points) => [...points.filter((_, i) => i % 2 === offset)]);
    return { low: Math.min(...values), high: Math.max(...values) };
  };
  const [x, y] = [extent(0), extent(1)];
  const height = y.high - y.low;
  const centre = [(x.low + x.high) / 2, (y.low + y.high) / 2] as const;
  return {
    width: (x.high - x.low) / height,
    contours: contours.map((points) =>
      points.map((value, i) => (value - centre[i % 2 === 0 ? 0 : 1]) / height),
    ),
  };
}
