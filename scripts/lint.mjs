import { parseArgs } from 'node:util';
import { lint } from './lib/linting.mjs';
import { main } from './lib/problem.mjs';

// npm run lint | npm run format (--fix). --minutes N: the time that clang-tidy may take.
await main(async () => {
  const { values } = parseArgs({
    options: { fix: { type: 'boolean' }, minutes: { type: 'string', default: '8' } },
  });
  const results = await lint({ fix: values.fix === true, budgetMs: Number(values.minutes) * 60_000 });
  const failed = results.filter(({ passed }) => !passed).length;
  return failed > 0 ? 1 : 0;
});
