import fs from 'node:fs';
import { suite } from 'uvu';

export interface TestOptions {
  // After this long the test has failed, even if what it awaits never settles.
  timeoutMs?: number;
}

const kTimeoutMs = 30_000;
const tests = suite();

// One test of a file; each file ends with test.run(). uvu itself has no deadlines.
export function test(name: string, body: () => unknown, { timeoutMs = kTimeoutMs }: TestOptions = {}): void {
  tests(name, () => {
    tellStage(name);
    return withDeadline(name, body, timeoutMs);
  });
}
test.run = () => tests.run();
test.before = (body: () => Promise<void> | void) => tests.before(body);
test.after = (body: () => Promise<void> | void) => tests.after(body);
// A plain line that the runner shows.
test.skip = (reason: string) => console.log(`skipped: ${reason}`);

// The runner, which ends a file at its deadline, reads from here what it was doing.
function tellStage(name: string): void {
  if (process.env.ESPALIER_TEST_STAGE) fs.writeFileSync(process.env.ESPALIER_TEST_STAGE, name);
}

async function withDeadline(name: string, body: () => unknown, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`'${name}' did not end within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([(async () => body())(), deadline]);
  } catch (error) {
    // uvu can print only errors.
    throw error instanceof Error ? error : new Error(`thrown, but no Error: ${String(error)}`);
  } finally {
    clearTimeout(timer);
  }
}
