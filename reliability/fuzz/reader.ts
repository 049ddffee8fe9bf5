import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import fs from 'node:fs';
import readline from 'node:readline';

/** What opening one mutant came to. */
export interface Outcome {
  /**
   * 'loaded', a code of ours, 'untyped', 'signal', 'hang', 'memory'; of its forward: 'endless', 'exhausting'; of the
   * process that opened it and others, when it was done: 'end'.
   */
  kind: string;
  detail: string;
}

export interface ReaderOptions {
  program: string;
  env: NodeJS.ProcessEnv;
  deadlineMs: number;
  /** How much the process may grow over what it needed for the first file that it opens. */
  mostMegabytes: number;
}

const kPollMs = 50;
const kStartMs = 60_000;

/** A process that opens mutants one after another; a new one in its place when it has ended. */
export class Reader {
  private child: ChildProcessWithoutNullStreams | undefined;
  private lines: AsyncIterator<string> | undefined;
  private errors = '';
  private baseMegabytes = 0;
  private ended: Promise<string> = Promise.resolve('');

  constructor(private readonly options: ReaderOptions) {}

  async open(index: number, format: string, folder: string): Promise<Outcome> {
    const isFresh = this.child === undefined;
    this.child ??= this.start();
    const { child } = this;
    child.stdin.write(`${index}\t${format}\t${folder}\n`);
    let stage = 'open';
    let why: string | undefined;
    const end = (reason: string) => {
      why ??= reason;
      child.kill('SIGKILL');
    };
    const deadline = setTimeout(() => end('hang'), this.options.deadlineMs + (isFresh ? kStartMs : 0));
    const watch = setInterval(() => {
      if (!isFresh && resident(child.pid) - this.baseMegabytes > this.options.mostMegabytes) end('memory');
    }, kPollMs);
    try {
      for (;;) {
        const { value: line, done } = await this.lines!.next();
        if (done) break;
        const [word, , third = '', rest = ''] = line.split('\t');
        if (word === 'stage') stage = third;
        if (word !== 'end') continue;
        const peak = Number(third) / 1024;
        if (isFresh) this.baseMegabytes = peak;
        if (peak - this.baseMegabytes > this.options.mostMegabytes) {
          await this.close();
          return { kind: stage === 'forward' ? 'exhausting' : 'memory', detail: `${Math.round(peak)} MB` };
        }
        const [kind = ''] = rest.split(' ', 1);
        return { kind, detail: rest.slice(kind.length + 1) };
      }
    } finally {
      clearTimeout(deadline);
      clearInterval(watch);
    }
    const ended = await this.ended;
    this.child = undefined;
    // What a model's own program takes in time and memory is not the reader's doing.
    if (why === 'hang' && stage === 'forward') return { kind: 'endless', detail: '' };
    if (why === 'memory' && stage === 'forward') return { kind: 'exhausting', detail: '' };
    return { kind: why ?? 'signal', detail: `${stage}: ${ended}\n${this.errors.slice(-6000)}` };
  }

  /** Lets the process end; what it said where it did not end well, as of a leak under the sanitizers. */
  async close(): Promise<string | undefined> {
    if (this.child === undefined) return undefined;
    this.child.stdin.end();
    const ended = await this.ended;
    this.child = undefined;
    return ended === 'exit code 0' ? undefined : `${ended}\n${this.errors.slice(-6000)}`;
  }

  private start(): ChildProcessWithoutNullStreams {
    const child = spawn(process.execPath, [this.options.program], { env: this.options.env });
    this.errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-20_000);
    });
    child.stdin.on('error', () => {});
    this.lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    return child;
  }
}

// In megabytes; 0 of a process that has ended.
function resident(pid: number | undefined): number {
  try {
    return (Number(fs.readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 2 ** 20;
  } catch {
    return 0;
  }
}
