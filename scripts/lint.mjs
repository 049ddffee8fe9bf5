import { parseArgs } from 'node:util';
import { lint } from './lib/linting.mjs';
import { main } from './lib/problem.mjs';

const kHelp = `npm run lint [-- --minutes N]: format and lint of C++ and TypeScript; npm run format mends what can be mended

  --fix           mends (npm run format)
  --minutes N     the time that clang-tidy may take (8)`;

await main(async () => {
  const { values } = parseArgs({
    options: { fix: { type: 'boolean' }, minutes: { type: 'string', default: '8' } },
  });
  const results = await lint({ fix: values.fix === true, budgetMs: Number(values.minutes) * 60_000 });
  const failed = results.filter(({ passed }) => !passed).length;
  return failed > 0 ? 1 : 0;
}, kHelp);
