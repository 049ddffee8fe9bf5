import type { Random } from '../../lib/data/random.js';
import { damageText, wideEdge } from './mutate.js';

const kStrangers = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  '',
  'F32',
  'U8',
  'F64',
  'BOOL',
  'x'.repeat(300),
  [],
  {},
  [[]],
  { a: { b: [] } },
  ['images'],
];

type Container = unknown[] | { [key: string]: unknown };

/** JSON text with one to three values changed, moved, removed or added, or damaged as text. */
export function damageJson(source: string, random: Random): string {
  if (random.chance(0.15)) return damageText(source, random);
  if (random.chance(0.03)) return '['.repeat(random.pick([100, 5000, 200_000])) + source;
  const root = { value: parsed(source) };
  if (root.value === undefined) return damageText(source, random);
  let raw: string | undefined;
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const places = placesOf(root);
    const { parent, key } = random.pick(places);
    const old = (parent as { [key: string]: unknown })[key];
    const put = (value: unknown) => {
      (parent as { [key: string]: unknown })[key] = value;
    };
    const kind = random.below(8);
    if (kind === 0 && parent !== root) remove(parent, key);
    else if (kind === 1) put(structuredClone(random.pick(kStrangers)));
    else if (kind === 2) {
      const other = random.pick(places);
      put(structuredClone((other.parent as { [key: string]: unknown })[other.key]));
    } else if (kind === 3 && Array.isArray(old)) old.push(...structuredClone(old));
    else if (kind === 4 && !Array.isArray(parent) && parent !== root) {
      (parent as { [key: string]: unknown })[`${key}${random.below(10)}`] = old;
      remove(parent, key);
    } else if (typeof old === 'number' && kind < 7) {
      // Beyond what a number of JavaScript holds: put in as text.
      raw = String(wideEdge(random, old));
      put('@number@');
    } else if (typeof old === 'string') put(damageText(old, random));
    else if (typeof old === 'number') put(-old);
    else if (Array.isArray(old) && old.length > 0) old.splice(random.below(old.length), 1);
  }
  const text = JSON.stringify(root.value) ?? 'null';
  return raw === undefined ? text : text.replaceAll('"@number@"', raw);
}

function placesOf(root: Container): { parent: Container; key: string }[] {
  const places: { parent: Container; key: string }[] = [];
  const visit = (parent: Container) => {
    for (const [key, value] of Object.entries(parent)) {
      places.push({ parent, key });
      if (typeof value === 'object' && value !== null) visit(value as Container);
    }
  };
  visit(root);
  return places;
}

function remove(parent: Container, key: string): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

// Undefined where an earlier change left no JSON.
function parsed(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}
