import type { Command } from 'commander';
import type { Library } from '../library.js';
import { addData } from './data.js';
import { addDoctor } from './doctor.js';
import { addInspect } from './inspect.js';
import { addKey } from './key.js';
import { addMethods } from './methods.js';
import { addReport } from './report.js';
import { addSetup } from './setup.js';

/** The commands that run no method. */
export function addCommands(program: Command, library: Library): void {
  const group = 'Tools:';
  addInspect(program.command('inspect').helpGroup(group));
  addKey(program.command('key').helpGroup(group));
  addReport(program.command('report').helpGroup(group));
  addMethods(program.command('methods').helpGroup(group), library);
  addDoctor(program.command('doctor').helpGroup(group));
  addSetup(program.command('setup').helpGroup(group));
  addData(program.command('data').helpGroup(group));
}
