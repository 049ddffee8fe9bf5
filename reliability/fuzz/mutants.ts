import fs from 'node:fs';
import path from 'node:path';
import { Random } from '../../lib/data/random.js';
import type { Files, Format } from './format.js';

/** The mutants of one format: each is a function of the seed and its index alone. */
export class Mutants {
  private constructor(
    readonly format: Format,
    readonly seed: number,
    private readonly bases: readonly Files[],
  ) {}

  static async of(format: Format, seed: number, folder: string): Promise<Mutants> {
    fs.mkdirSync(folder, { recursive: true });
    return new Mutants(format, seed, await format.bases(folder));
  }

  /** How many of the first indices are the whole files. */
  get wholes(): number {
    return this.bases.length;
  }

  /** Writes one into a folder of its own. */
  write(index: number, folder: string): void {
    const random = new Random(`fuzz/${this.format.name}/${this.seed}/${index}`);
    const whole = this.bases[index % this.bases.length]!;
    const files = index < this.wholes ? whole : this.format.mutate(whole, random);
    fs.rmSync(folder, { recursive: true, force: true });
    for (const [name, entry] of Object.entries(files)) {
      const file = path.join(folder, name);
      if (!file.startsWith(folder + path.sep))
        throw new Error(`expected a path inside the folder, found ${name}`);
      fs.mkdirSync(entry === 'folder' ? file : path.dirname(file), { recursive: true });
      if (Buffer.isBuffer(entry)) fs.writeFileSync(file, entry);
      else if (entry !== 'folder') fs.symlinkSync(entry.link, file);
    }
  }
}
