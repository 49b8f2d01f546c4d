import type { Spot, Word } from './words.ts';

/** With the descriptions beside the words. */
export function zshScript(spots: readonly Spot[]): string {
  const paths = spots.map(({ path }) => path).filter(Boolean);
  return `#compdef sluice
# Completion of sluice for zsh. For this shell: eval "$(sluice completion zsh)"
_sluice() {
  local at= word before=\${words[CURRENT-1]}
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${paths.join('|')}) at=$at/$word ;;
    esac
  done
  case "$at $before" in
${spots.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${spots.map(wordCase).join('\n')}
  esac
  _describe sluice found
}
compdef _sluice sluice
`;
}

function valueCases({ path, flags }: Spot): string[] {
  return flags.flatMap(({ word, takesValue, values }) => {
    if (!takesValue) return [];
    const answer =
      values === undefined
        ? 'return'
        : values === 'file'
          ? '_files; return'
          : `compadd -- ${values.join(' ')}; return`;
    return `    "${path} ${word}") ${answer} ;;`;
  });
}

function wordCase({ path, commands, flags, argument }: Spot): string {
  const given = Array.isArray(argument) ? argument.map((word) => ({ word, description: word })) : [];
  const words = [...commands, ...given, ...flags].map(described).join(' ');
  const files = argument === 'file' ? '[[ $PREFIX == -* ]] || { _files; return }; ' : '';
  return `    "${path}") ${files}found=(${words}) ;;`;
}

function described({ word, description }: Word): string {
  return `'${`${word.replaceAll(':', '\\:')}:${description}`.replaceAll("'", "'\\''")}'`;
}
