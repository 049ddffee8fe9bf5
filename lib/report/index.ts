import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { EspalierError, expected } from '../errors.js';
import { toHtml } from './html.js';
import { toMarkdown } from './markdown.js';
import { type AnyReport, checkReports } from './report.js';
import { type TextOptions, toText } from './text.js';

export { type AnyReport, checkReport, type Report, reportFormat } from './report.js';
export type { TextOptions } from './text.js';

type Reports = AnyReport | readonly AnyReport[];

/** One report or several as tables for a terminal. */
export function renderTable(reports: Reports, options: TextOptions = {}): string {
  return toText(checkReports(reports), options);
}

/** The same data as JSON: an object for one report, an array for several. */
export function renderJson(reports: Reports): string {
  checkReports(reports);
  return `${JSON.stringify(reports, null, 2)}\n`;
}

/** A self-contained page with pictures, light and dark, that opens without a network. */
export async function renderHtml(reports: Reports, options: { title?: string } = {}): Promise<string> {
  return await toHtml(checkReports(reports), options.title);
}

/** GitHub-flavoured Markdown. */
export function renderMarkdown(reports: Reports): string {
  return toMarkdown(checkReports(reports));
}

type Render = (reports: Reports, options: { title?: string }) => string | Promise<string>;
const renderers: ReadonlyMap<string, Render> = new Map<string, Render>([
  ['.html', renderHtml],
  ['.json', renderJson],
  ['.md', renderMarkdown],
  ['.txt', (reports) => renderTable(reports, { color: false, width: 100 })],
]);

/** The extensions that `saveReport` knows. */
export const reportExtensions: readonly string[] = [...renderers.keys()];

/** Throws unless a report could be saved under such a name. */
export function checkReportPath(path: string, name = 'path'): void {
  if (typeof path !== 'string' || !renderers.has(extname(path).toLowerCase())) {
    throw expected(`a file name that ends in ${reportExtensions.join(', ')}`, name, path);
  }
}

/** Writes reports to a file in the form that its extension names; the file is replaced as a whole. */
export async function saveReport(
  path: string,
  reports: Reports,
  options: { title?: string } = {},
): Promise<void> {
  checkReportPath(path);
  const render = renderers.get(extname(path).toLowerCase()) as Render;
  const text = await render(reports, options);
  const partial = `${path}.${process.pid}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, text, { flush: true });
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => {});
    throw new EspalierError(
      'ERR_IO',
      `the report cannot be written to ${path}: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}
