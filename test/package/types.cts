import espalier = require('espalier');

export const create = (): Promise<espalier.Model> =>
  espalier.Model.create('lenet5', { classes: 10, seed: 1 });
