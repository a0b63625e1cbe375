/** Progress, for whoever started a program of this folder; stdout is for what it found. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
