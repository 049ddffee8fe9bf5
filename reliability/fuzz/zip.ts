import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';

/** One record of a zip archive, with what a damaged one may claim instead of the truth. */
export interface ZipRecord {
  name: string;
  content: Buffer;
  deflated: boolean;
  /** What is written in place of the content's own. */
  crc?: number;
  size?: number;
  storedSize?: number;
}

/** An archive as bytes, with the places of its headers. */
export interface ZipBytes {
  bytes: Buffer;
  local: number[];
  central: number[];
  end: number;
}

const kLocal = 0x04034b50;
const kCentral = 0x02014b50;
const kEnd = 0x06054b50;

/** The records of an archive that is whole; of zip64 only what libtorch writes for small files. */
export function readZip(bytes: Buffer): ZipRecord[] {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const records: ZipRecord[] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count--) {
    const deflated = bytes.readUInt16LE(at + 10) === 8;
    const storedSize = bytes.readUInt32LE(at + 20);
    const nameSize = bytes.readUInt16LE(at + 28);
    const header = bytes.readUInt32LE(at + 42);
    const data = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    const stored = bytes.subarray(data, data + storedSize);
    records.push({
      name: bytes.toString('latin1', at + 46, at + 46 + nameSize),
      content: deflated ? inflateRawSync(stored) : Buffer.from(stored),
      deflated,
    });
    at += 46 + nameSize + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return records;
}

/** Local headers, central directory and end record; checksums and sizes are right where a record claims no other. */
export function writeZip(records: readonly ZipRecord[]): ZipBytes {
  const parts: Buffer[] = [];
  const local: number[] = [];
  let at = 0;
  const push = (part: Buffer) => {
    parts.push(part);
    at += part.length;
  };
  const heads = records.map((record) => {
    const data = record.deflated ? deflateRawSync(record.content) : record.content;
    const name = Buffer.from(record.name, 'latin1');
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(record.deflated ? 8 : 0, 4);
    head.writeUInt32LE((record.crc ?? crc32(record.content)) >>> 0, 10);
    head.writeUInt32LE((record.storedSize ?? data.length) >>> 0, 14);
    head.writeUInt32LE((record.size ?? record.content.length) >>> 0, 18);
    head.writeUInt16LE(name.length, 22);
    local.push(at);
    push(word(kLocal));
    push(head);
    push(name);
    push(data);
    return { head, name };
  });
  const directory = at;
  const central = heads.map(({ head, name }, i) => {
    const start = at;
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(local[i]!, 10);
    for (const part of [word(kCentral), Buffer.from([20, 0]), head, rest, name]) push(part);
    return start;
  });
  const end = at;
  const tail = Buffer.alloc(18);
  tail.writeUInt16LE(records.length & 0xffff, 4);
  tail.writeUInt16LE(records.length & 0xffff, 6);
  tail.writeUInt32LE(at - directory, 8);
  tail.writeUInt32LE(directory, 12);
  push(word(kEnd));
  push(tail);
  return { bytes: Buffer.concat(parts), local, central, end };
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
