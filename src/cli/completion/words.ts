/** What may be written where, read from the commands themselves. */
import type { Argument, Command, Option } from 'commander';

/** `undefined`: anything, which nobody can complete. */
export type Values = 'file' | readonly string[] | undefined;

export interface Word {
  readonly word: string;
  readonly description: string;
}

export interface Flag extends Word {
  /** Whether a value follows. */
  readonly takesValue: boolean;
  readonly values: Values;
}

/** A place in a command line: behind these commands. */
export interface Spot {
  /** `/keys/create`; empty: behind the name of the program. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly flags: readonly Flag[];
  /** What its arguments are. */
  readonly argument: Values;
}

/** @param roles what the program runs besides its commands */
export function spotsOf(program: Command, roles: readonly Word[]): Spot[] {
  const [top, ...rest] = spotsFrom(program, '');
  if (!top) return [];
  const ofRoles = roles.map(
    ({ word }): Spot => ({
      path: `/${word}`,
      commands: [],
      flags: [],
      argument: word === 'backup' || word === 'restore' ? 'file' : undefined,
    }),
  );
  return [{ ...top, commands: [...top.commands, ...roles] }, ...rest, ...ofRoles];
}

function spotsFrom(command: Command, path: string): Spot[] {
  const own: Spot = {
    path,
    commands: command.commands.map((one) => ({ word: one.name(), description: one.description() })),
    flags: command.createHelp().visibleOptions(command).flatMap(flagOf),
    argument: argumentOf(command.registeredArguments),
  };
  return [own, ...command.commands.flatMap((one) => spotsFrom(one, `${path}/${one.name()}`))];
}

function flagOf({ long, flags, description, required, optional, argChoices }: Option): Flag[] {
  if (!long) return [];
  const values = argChoices ?? (/[<[](file|path)[\]>]/.test(flags) ? 'file' : undefined);
  return [{ word: long, description, takesValue: required || optional, values }];
}

function argumentOf(declared: readonly Argument[]): Values {
  const [first] = declared;
  if (first?.argChoices) return first.argChoices;
  return first?.name() === 'file' ? 'file' : undefined;
}
