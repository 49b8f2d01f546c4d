/** `completion bash | zsh | fish`: what makes a shell complete the commands, made from the commands themselves. */
import { Argument, type Command } from 'commander';
import { bashScript } from './completion/bash.ts';
import { fishScript } from './completion/fish.ts';
import { spotsOf, type Word } from './completion/words.ts';
import { zshScript } from './completion/zsh.ts';
import type { Session } from './session.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function completionCommand(program: Command, roles: readonly Word[], { terminal }: Session): void {
  program
    .command('completion')
    .description('print what makes your shell complete these commands')
    .addArgument(new Argument('<shell>', 'which').choices(Object.keys(scripts)))
    .addHelpText('after', '\nFor bash, in ~/.bashrc:  eval "$(sluice completion bash)"')
    .action(
      (shell: keyof typeof scripts) => void terminal.stdout.write(scripts[shell](spotsOf(program, roles))),
    );
}
