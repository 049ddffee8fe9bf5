import { crc32, deflateSync } from 'node:zlib';
import { type Images, type Recipe, type RoleName, roles } from './recipe.js';

const kColumns = 20;
const kScale = 2;
const kGap = 2;
const kPaper = 255;

interface Picture {
  width: number;
  height: number;
  data: Buffer;
}

/**
 * A PNG picture to look at: a row a class in the order of the labels, the first 20 examples of each; the rows
 * of fit above, those of report below.
 */
export function contactSheet(recipe: Recipe, images: Record<RoleName, Images>): Buffer {
  const [channels, height, width] = recipe.shape;
  const cell = { width: width * kScale + kGap, height: height * kScale + kGap };
  const blockHeight = recipe.classNames.length * cell.height;
  const sheet: Picture = {
    width: kColumns * cell.width + kGap,
    height: roles.length * blockHeight + 8 * kGap,
    data: Buffer.alloc(0),
  };
  sheet.data = Buffer.alloc(sheet.width * sheet.height * 3, kPaper);
  roles.forEach((role, block) => {
    const { data, labels } = images[role];
    const shown = recipe.classNames.map(() => 0);
    for (let i = 0; i < labels.length; ++i) {
      const label = labels[i]!;
      const column = shown[label]!++;
      if (column >= kColumns) continue;
      const image = data.subarray(i * channels * height * width, (i + 1) * channels * height * width);
      const top = block * (blockHeight + 6 * kGap) + kGap + label * cell.height;
      paste(image, recipe.shape, sheet, kGap + column * cell.width, top);
    }
  });
  return encodePng(sheet);
}

function paste(image: Uint8Array, shape: Recipe['shape'], sheet: Picture, left: number, top: number): void {
  const [channels, height, width] = shape;
  for (let y = 0; y < height * kScale; ++y) {
    for (let x = 0; x < width * kScale; ++x) {
      const from = Math.floor(y / kScale) * width + Math.floor(x / kScale);
      const to = ((top + y) * sheet.width + left + x) * 3;
      for (let c = 0; c < 3; ++c)
        sheet.data[to + c] = image[(channels === 3 ? c : 0) * height * width + from]!;
    }
  }
}

function encodePng({ width, height, data }: Picture): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const lines = Array.from({ length: height }, (_, y) =>
    Buffer.concat([Buffer.of(0), data.subarray(y * width * 3, (y + 1) * width * 3)]),
  );
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(lines))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(content.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
