import { SingleBar } from 'cli-progress';
import { duration, figure, percent } from '../report/format.js';
import type { Progress } from '../run.js';

/** Where a run shows how far it is. */
export interface Display {
  update(progress: Progress): void;
  stop(): void;
}

/** JSON lines on standard output, a bar on a terminal, silence elsewhere. */
export function makeDisplay(json: boolean): Display {
  if (json) return { update: (progress) => writeLine({ type: 'progress', ...progress }), stop() {} };
  return process.stderr.isTTY ? bar() : { update() {}, stop() {} };
}

export function writeLine(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

const kCells = 24;

function bar(): Display {
  const single = new SingleBar({
    stream: process.stderr,
    format: (_options, _params, progress: { text: string }) => progress.text,
    clearOnComplete: true,
    hideCursor: true,
    linewrap: false,
    etaBuffer: 1,
  });
  let started = false;
  return {
    update(progress) {
      const text = progressLine(progress, process.stderr.columns ?? 80);
      if (started) single.update(progress.fraction, { text });
      else single.start(1, progress.fraction, { text });
      started = true;
    },
    stop() {
      if (started) single.stop();
    },
  };
}

/** "fit ████░░░░ 42% · loss 0.1234 · 1,234 samples/s · 1 min 20 s left". */
export function progressLine(progress: Progress, width: number): string {
  const { phase, fraction, etaMs, samplesPerSecond, metrics } = progress;
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * kCells);
  const parts = [
    `${phase} ${'█'.repeat(full)}${'░'.repeat(kCells - full)} ${percent(fraction, 0)}`,
    ...(etaMs === null || etaMs === undefined ? [] : [`${duration(etaMs)} left`]),
    ...Object.entries(metrics).map(([name, value]) => `${name} ${metric(name, value)}`),
    ...(samplesPerSecond > 0 ? [`${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s`] : []),
  ];
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : `${line} · ${part}`;
    if (line !== '' && longer.length > width - 1) break;
    line = longer;
  }
  return line;
}

const metric = (name: string, value: number) =>
  /accuracy$|sparsity$|density$/i.test(name) ? percent(value) : figure(value);
