#!/usr/bin/env node
import { espalier } from './espalier.js';
import { runCli } from './program.js';

runCli(process.argv.slice(2), espalier).then((code) => {
  process.exitCode = code;
});
