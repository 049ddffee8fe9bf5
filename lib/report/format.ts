// How numbers read in every rendering: the same figure looks the same on a terminal and on a page.

const kNothing = '–';

/** 0.98734 as "98.73%". */
export function percent(share: number | null | undefined, digits = 2): string {
  return isNumber(share) ? `${(share * 100).toFixed(digits)}%` : kNothing;
}

/** The same in a sentence: without zeros at the end, "90%". */
export function percentInWords(share: number | null | undefined): string {
  return percent(share).replace(/\.?0+%$/, '%');
}

/** A confidence interval: "98.45–98.97%". */
export function interval(bounds: readonly (number | null)[] | null | undefined): string {
  const [low, high] = bounds ?? [];
  return isNumber(low) && isNumber(high) ? `${(low * 100).toFixed(2)}–${percent(high)}` : kNothing;
}

/** 1234567 as "1,234,567". */
export function count(value: number | null | undefined): string {
  return isNumber(value) ? value.toLocaleString('en-US', { maximumFractionDigits: 0 }) : kNothing;
}

/** A loss, a learning rate, a threshold: four significant digits. */
export function figure(value: number | null | undefined): string {
  if (!isNumber(value)) return kNothing;
  if (Number.isInteger(value)) return count(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  if (size >= 1000) return value.toLocaleString('en-US', { maximumFractionDigits: 1 });
  return value.toPrecision(4);
}

/** "820 ms", "4.2 s", "3 min 05 s", "2 h 10 min". */
export function duration(ms: number | null | undefined): string {
  if (!isNumber(ms) || ms < 0) return kNothing;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** An ISO 8601 time as "23 Nov 2026, 22:27 UTC". */
export function moment(iso: string | undefined): string {
  const time = new Date(iso ?? Number.NaN);
  if (Number.isNaN(time.getTime())) return kNothing;
  const day = time.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  });
  return `${day}, ${twoDigits(time.getUTCHours())}:${twoDigits(time.getUTCMinutes())} UTC`;
}

/** "1 epoch", "2 epochs", "3 classes" with the plural given. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Any plain value on one line. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return kNothing;
  if (typeof value === 'number') return figure(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return JSON.stringify(value) ?? kNothing;
}

/** "fineTune" as "Fine tune", "expectedCalibrationError" as "Expected calibration error". */
export function label(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "a", "a and b", "a, b and c". */
export function listInWords(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** Long names lose their middle: what tells two paths apart stands at their ends. */
export function shorten(name: string, letters: number): string {
  const all = [...name];
  if (all.length <= letters) return name;
  const head = Math.ceil((letters - 1) / 2);
  return `${all.slice(0, head).join('')}…${all.slice(all.length - (letters - 1 - head)).join('')}`;
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

const twoDigits = (value: number) => String(value).padStart(2, '0');
