import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { EspalierError } from '../../errors.js';
import { type AnyReport, checkReportPath, renderTable, saveReport } from '../../report/index.js';
import { checkReports } from '../../report/report.js';
import { checkOutputs } from '../outputs.js';

interface Options {
  out?: string;
  title?: string;
}

export function addReport(command: Command): void {
  command
    .description('Shows saved reports, or puts several of them on one page.')
    .argument('<files...>', 'Reports that were saved as .json or .html.')
    .option(
      '--out <file>',
      'Where the page is saved: .html, .json, .md or .txt; tables here where it is not given.',
    )
    .option('--title <text>', 'Of a page in HTML.')
    .option('--verbose', 'Show the stack of an error.')
    .action(async (files: string[], { out, title }: Options) => {
      if (out !== undefined) {
        checkReportPath(out, '--out');
        await checkOutputs([out], undefined);
      }
      const reports = (await Promise.all(files.map(read))).flat();
      if (out === undefined) {
        process.stdout.write(renderTable(reports));
        return;
      }
      await saveReport(out, reports, title === undefined ? {} : { title });
      process.stderr.write(`Saved ${out}\n`);
    });
}

// A page holds the data of its reports; nothing in there can end the element.
const kEmbedded = /<script type="application\/json" id="espalier-report">(.*?)<\/script>/s;

async function read(file: string): Promise<AnyReport[]> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new EspalierError('ERR_IO', `cannot read ${file}: ${cause.message}`, { cause });
  });
  try {
    return checkReports(JSON.parse(kEmbedded.exec(text)?.[1] ?? text));
  } catch (cause) {
    throw new EspalierError(
      'ERR_DATA_INVALID',
      `expected ${file} to be a report that was saved as .json or .html: ${(cause as Error).message}`,
      { cause },
    );
  }
}
