import type { Random } from '../random.js';

export type Colour = readonly [red: number, green: number, blue: number];

export function luminance([red, green, blue]: Colour): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

export function anyColour(random: Random): Colour {
  return [random.uniform(0, 255), random.uniform(0, 255), random.uniform(0, 255)];
}

/** A random colour at least `distance` brighter (or darker, where it is negative) than `colour`. */
export function contrasting(colour: Colour, distance: number, random: Random): Colour {
  for (;;) {
    const candidate = anyColour(random);
    const difference = luminance(candidate) - luminance(colour);
    if (Math.sign(difference) === Math.sign(distance) && Math.abs(difference) >= Math.abs(distance))
      return candidate;
  }
}
