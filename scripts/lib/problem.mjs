// A failure that the user can repair: its message says what was found and what to do, and needs no stack.
export class Problem extends Error {}

// Runs a script's body, or with --help only prints what it is for; a Problem ends it with its sentence and exit code 1.
export async function main(body, help) {
  if (help !== undefined && process.argv.includes('--help')) return console.log(help);
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
