import fs from 'node:fs';
import { inRoot } from './paths.mjs';

const kMark = /<!-- figures ([\w-]+) -->[\s\S]*?<!-- \/figures -->/g;
// Told in the first line, or no figure.
const kHeader = new Set(['name', 'command', 'date', 'machine', 'seed', 'seeds', 'seconds']);

/**
 * The page with the figures of docs/reliability/NAME.json between each pair of marks <!-- figures NAME --> and
 * <!-- /figures -->.
 */
export function withFigures(page, read = readFigures) {
  return page.replace(kMark, (_, name) => {
    const figures = read(name);
    const lines = figures ? render(name, figures) : [`Not measured yet: \`npm run ${name}\`.`];
    return [`<!-- figures ${name} -->`, ...lines, '<!-- /figures -->'].join('\n');
  });
}

function readFigures(name) {
  const file = inRoot('docs/reliability', `${name}.json`);
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined;
}

function render(name, figures) {
  return [header(name, figures), '', ...(figures.phases ? promises(figures.phases) : plain(figures))];
}

function header(name, { command, date, machine = {}, seed, seeds, seconds }) {
  const { cpu, cores, node, libtorch, versions = {} } = machine;
  const facts = [
    `\`${command ?? `npm run ${name}`}\``,
    date,
    [cpu, cores && `${cores} cores`].filter(Boolean).join(', '),
    ...Object.entries({ Node: node, libtorch, ...versions })
      .filter(([, version]) => version)
      .map(([what, version]) => `${what} ${version}`),
    (seeds ?? seed) !== undefined && `seed ${[seeds ?? seed].flat().join(', ')}`,
    seconds !== undefined &&
      `${seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} minutes`}`,
  ];
  return `${facts.filter(Boolean).join('; ')}.`;
}

// Each promise once, with what the first round measured, and in how many rounds it held.
function promises(phases) {
  const lines = new Map();
  for (const { title, figures, promises } of phases) {
    for (const { text, measured, holds } of promises) {
      const line = lines.get(title + text) ?? { title, text, measured, done: 0, held: 0, rounds: 0 };
      line.done += figures.done;
      line.held += holds ? 1 : 0;
      line.rounds += 1;
      lines.set(title + text, line);
    }
  }
  return [
    '| what, in all | promise | measured in the first round | held |',
    '| --- | --- | --- | --- |',
    ...[...lines.values()].map(
      ({ title, text, measured, done, held, rounds }) =>
        `| ${count(done)} ${title} | ${text} | ${measured} | ${held === rounds ? '' : '**'}${held} of ${rounds}${held === rounds ? '' : '**'} |`,
    ),
  ];
}

// Numbers and words by name; a map of maps, or a list of maps, is a table of its own.
function plain(figures) {
  const entries = Object.entries(figures).filter(([name]) => !kHeader.has(name));
  const tables = entries.filter(([, value]) => isTable(value));
  const rows = entries
    .filter(([, value]) => !isTable(value))
    .flatMap(([name, value]) => row(words(name), value));
  return [
    ...(rows.length > 0 ? ['| figure | value |', '| --- | --- |', ...rows] : []),
    ...tables.flatMap(([name, value]) => ['', ...table(words(name), value)]),
  ];
}

function row(name, value) {
  if (Array.isArray(value)) {
    const shown = value.every((item) => typeof item !== 'object') ? value.join(', ') || 'none' : value.length;
    return [`| ${name} | ${shown} |`];
  }
  if (value !== null && typeof value === 'object')
    return Object.entries(value).flatMap(([inner, own]) => row(`${name}, ${words(inner)}`, own));
  return [`| ${name} | ${typeof value === 'number' ? count(value) : value} |`];
}

const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isPlain = (value) => !isMap(value);
const isTable = (value) =>
  value !== null &&
  typeof value === 'object' &&
  Object.keys(value).length > 0 &&
  Object.values(value).every((inner) => isMap(inner) && Object.values(inner).every(isPlain));

function table(name, rows) {
  const columns = [...new Set(Object.values(rows).flatMap(Object.keys))];
  const cells = (values) => columns.map((column) => cell(values[column] ?? 0)).join(' | ');
  const first = (row) => (Array.isArray(rows) ? Number(row) + 1 : row);
  return [
    `| ${name} | ${columns.join(' | ')} |`,
    `| --- |${' --- |'.repeat(columns.length)}`,
    ...Object.entries(rows).map(([row, values]) => `| ${first(row)} | ${cells(values)} |`),
  ];
}

const cell = (value) =>
  typeof value === 'number' ? count(value) : Array.isArray(value) ? value.length || 'none' : value;
const words = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const count = (value) => value.toLocaleString('en-US');
