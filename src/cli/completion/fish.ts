import type { Flag, Spot } from './words.ts';

/** With the descriptions beside the words. */
export function fishScript(spots: readonly Spot[]): string {
  const paths = spots.map(({ path }) => path).filter(Boolean);
  return `# Completion of sluice for fish. For this shell: sluice completion fish | source
function __sluice_at
    set -l at ''
    for word in (commandline -opc)[2..]
        switch "$at/$word"
            case ${paths.join(' ')}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c sluice -f
${spots.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, commands, flags, argument }: Spot): string[] {
  const begin = `complete -c sluice -n ${quoted(`__sluice_at ${quoted(path)}`)}`;
  const given = Array.isArray(argument) ? [`${begin} -a ${quoted(argument.join(' '))}`] : [];
  return [
    ...commands.map(({ word, description }) => `${begin} -a ${word} -d ${quoted(description)}`),
    ...given,
    ...(argument === 'file' ? [`${begin} -F`] : []),
    ...flags.map(
      (flag) => `${begin} -l ${flag.word.slice(2)}${valueTextOf(flag)} -d ${quoted(flag.description)}`,
    ),
  ];
}

function valueTextOf({ takesValue, values }: Flag): string {
  if (!takesValue) return '';
  if (values === 'file') return ' -r -F';
  return values === undefined ? ' -x' : ` -x -a ${quoted(values.join(' '))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
