import type { Spot } from './words.ts';

/** Bash from 3.2 on, which is what macOS has. */
export function bashScript(spots: readonly Spot[]): string {
  const paths = spots.map(({ path }) => path).filter(Boolean);
  return `# Completion of sluice for bash. For this shell: eval "$(sluice completion bash)"
_sluice() {
  local at= word words= current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in
      ${paths.join('|')}) at=$at/$word ;;
    esac
  done
  case "$at $before" in
${valueCases(spots).join('\n')}
  esac
  case "$at" in
${spots.map(wordCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
_sluice_files() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$1"))
  compopt -o filenames 2>/dev/null
}
complete -F _sluice sluice
`;
}

/** One branch for all that have the same answer. */
function valueCases(spots: readonly Spot[]): string[] {
  const answers = spots.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ word, values }) => ({ spot: `"${path} ${word}"`, answer: answerOf(values) })),
  );
  const byAnswer = Map.groupBy(answers, ({ answer }) => answer);
  return [...byAnswer].map(([answer, ones]) => `    ${ones.map(({ spot }) => spot).join('|')}) ${answer} ;;`);
}

function answerOf(values: Spot['argument']): string {
  if (values === undefined) return 'return';
  if (values === 'file') return '_sluice_files "$current"; return';
  return `COMPREPLY=($(compgen -W "${values.join(' ')}" -- "$current")); return`;
}

function wordCase({ path, commands, flags, argument }: Spot): string {
  const given = Array.isArray(argument) ? argument : [];
  const words = [...commands.map(({ word }) => word), ...given, ...flags.map(({ word }) => word)];
  const files = argument === 'file' ? '[[ $current == -* ]] || { _sluice_files "$current"; return; }; ' : '';
  return `    "${path}") ${files}words="${words.join(' ')}" ;;`;
}
