// Isolates a model and, as asked, forgets it, or asks it for an answer that never comes and tells its process.
import fs from 'node:fs';
import { Model } from '../../../lib/model.js';
import { tinyInput } from '../../support/tiny.js';

const [how, file = ''] = process.argv.slice(2);
const isolated = await Model.isolate(file);
if (how === 'forget') {
  await isolated.inspect();
  console.log('done');
} else {
  isolated.forward([tinyInput()]).catch(() => {});
  const children = fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  console.log(children);
}
