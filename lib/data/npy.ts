/** The header of an npy file, version 1.0, in C order. Its length is a multiple of 64. */
export function npyHeader(shape: readonly number[], type: '|u1' | '<i4' = '|u1'): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefix = 10;
  const length = Math.ceil((prefix + dictionary.length + 1) / 64) * 64;
  const text = `${dictionary.padEnd(length - prefix - 1)}\n`;
  const header = Buffer.alloc(length);
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(text.length, 8);
  header.write(text, prefix, 'latin1');
  return header;
}

/** The size of such a file of unsigned bytes. */
export function npyBytes(shape: readonly number[]): number {
  return npyHeader(shape).length + shape.reduce((product, extent) => product * extent, 1);
}
