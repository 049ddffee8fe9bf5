/** How opaque a cell's colour is: never nothing, so that a cell is seen. */
export const opacity = (share: number) => 0.05 + 0.95 * Math.min(1, Math.max(0, share));

/**
 * Which of the page's three colours of text a cell takes. On the light page text must turn white above the upper
 * bound, on the dark page black above the lower one: so every cell keeps a contrast of 4.5 or more.
 */
export function inkOn(opaque: number): 'faint' | 'middle' | 'strong' {
  return opaque > 0.84 ? 'strong' : opaque > 0.62 ? 'middle' : 'faint';
}
