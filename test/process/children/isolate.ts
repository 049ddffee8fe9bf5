// Isolates a model and, as asked, forgets it, or asks it for an answer that never comes and tells its process.
import { Model } from '../../../lib/model.js';
import { childrenOf } from '../../support/child.js';
import { tinyInput } from '../../support/tiny.js';

const [how, file = ''] = process.argv.slice(2);
const isolated = await Model.isolate(file);
if (how === 'forget') {
  await isolated.inspect();
  console.log('done');
} else {
  isolated.forward([tinyInput()]).catch(() => {});
  console.log(childrenOf(process.pid).join(' '));
}
