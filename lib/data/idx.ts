import { EspalierError } from '../errors.js';

/** Reads an IDX file of unsigned bytes, such as those that MNIST comes in. `name` is for messages. */
export function readIdx(name: string, file: Buffer, dimensions: number): { shape: number[]; data: Buffer } {
  const magic = 0x0800 + dimensions;
  const start = 4 + 4 * dimensions;
  const found = file.length < start ? undefined : file.readUInt32BE(0);
  if (found !== magic) {
    throw new EspalierError(
      'ERR_DATA_INVALID',
      `${name}: expected an IDX file of unsigned bytes with ${dimensions} dimensions, found ` +
        `${found === undefined ? `${file.length} bytes` : `magic number ${found}`}; fetch it again`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, i) => file.readUInt32BE(4 + 4 * i));
  const bytes = shape.reduce((product, extent) => product * extent, 1);
  if (file.length !== start + bytes) {
    throw new EspalierError(
      'ERR_DATA_INVALID',
      `${name}: expected ${start + bytes} bytes for shape ${shape.join(' x ')}, found ${file.length}; fetch it again`,
    );
  }
  return { shape, data: file.subarray(start) };
}
