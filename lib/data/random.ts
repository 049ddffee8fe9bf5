import { createHash } from 'node:crypto';

/**
 * Random numbers for one image: xoshiro128** seeded by the SHA-256 of a text such as `syn/0/fit/17`. Each image
 * has its own stream, so its bytes depend neither on its neighbours nor on how many images are made.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(stream: string) {
    const digest = createHash('sha256').update(stream).digest();
    this.a = digest.readInt32LE(0);
    this.b = digest.readInt32LE(4);
    this.c = digest.readInt32LE(8);
    this.d = digest.readInt32LE(12);
  }

  /** 32 random bits. */
  bits(): number {
    const product = Math.imul(this.b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (this.bits() / 2 ** 32) * (high - low);
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.uniform(0, end));
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}
