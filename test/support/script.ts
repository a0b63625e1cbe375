/** Options of programs in this folder that one starts by hand: `--help`, and refusals that say why. */
import { Command, InvalidArgumentError, Option } from 'commander';

/** @param name of the npm script */
export function script(name: string, about: string): Command {
  return new Command(`npm run ${name} --`).description(about).allowExcessArguments(false);
}

/** The value of an option. */
export function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Wanted a whole number.');
}

export function oneOf(flags: string, about: string, choices: readonly string[]): Option {
  return new Option(flags, about).choices(choices).default(choices[0]);
}
