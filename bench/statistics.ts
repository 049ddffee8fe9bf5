/** Of a sample, with linear interpolation between its values. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The 95 % bootstrap interval of the ratio of two medians; the same draws each time. */
export function interval(numerator: number[], denominator: number[], draws = 2000): [number, number] {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const resample = (values: number[]) =>
    quantile(
      values.map(() => values[Math.floor(random() * values.length)] as number),
      0.5,
    );
  const ratios = Array.from({ length: draws }, () => resample(numerator) / resample(denominator));
  return [quantile(ratios, 0.025), quantile(ratios, 0.975)];
}
