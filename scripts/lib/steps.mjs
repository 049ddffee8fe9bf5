// Progress in words: each step says what it does, and how long it took once it is done.
export async function step(title, body) {
  const start = performance.now();
  console.log(`${title} ...`);
  const result = await body();
  console.log(`${title}: done in ${seconds(performance.now() - start)}`);
  return result;
}

export function seconds(ms) {
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function size(bytes) {
  return bytes < 1e6
    ? `${Math.ceil(bytes / 1e3)} kB`
    : bytes < 1e9
      ? `${Math.round(bytes / 1e6)} MB`
      : `${(bytes / 1e9).toFixed(1)} GB`;
}
