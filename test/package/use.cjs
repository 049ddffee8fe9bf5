const assert = require('node:assert/strict');
const { Model } = require('espalier');

async function main() {
  const model = await Model.create('lenet5', { classes: 10, inChannels: 1, seed: 1 });
  assert.ok(model.parameters.length > 0);
  await model.dispose();
}

main();
