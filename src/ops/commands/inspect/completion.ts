import { actionOf, actionsIn } from '../../action.ts'
import { type Command, defineCommand } from '../../command.ts'

const name = 'completion'
const words = 'bash | zsh | fish'

export const command = defineCommand({
  name,
  words,
  about: 'Prints a script for tab completion: source <(orders completion bash), or orders completion fish | source.',
  examples: ['completion bash', 'completion fish'],
  page: 'docs/reference/commands.md',
  options: {},
  run: async ({ words: given, print, commands: load }) => {
    const { action: shell } = actionOf({ name, words }, given)
    const commands = await load()
    print(shell === 'bash' ? bash(commands) : shell === 'zsh' ? zsh(commands) : fish(commands))
  },
})

/** Returns what may follow a command: its actions and its options. */
const followers = ({ words, options }: Command): string[] => [
  ...actionsIn(words).map(({ name }) => name),
  ...Object.keys(options).map((option) => `--${option}`),
  '--help',
]

/** Returns the beginning of a description, without the characters that shells treat in their own way. */
const shortText = (about: string): string => (about.split(/[.:;(]/)[0] ?? '').replaceAll(/['"`$\\[\]]/g, '')

function bash(commands: readonly Command[]): string[] {
  return [
    '_orders() {',
    '  local words',
    '  case "$COMP_CWORD:$' + '{COMP_WORDS[1]}" in',
    `    1:*) words="${commands.map(({ name }) => name).join(' ')} --help --version" ;;`,
    ...commands.map((command) => `    *:${command.name}) words="${followers(command).join(' ')}" ;;`),
    '    *) words="" ;;',
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$' + '{COMP_WORDS[COMP_CWORD]}"))',
    '}',
    'complete -o default -F _orders orders',
  ]
}

function zsh(commands: readonly Command[]): string[] {
  return [
    '#compdef orders',
    '_orders() {',
    '  local -a commands',
    '  commands=(',
    ...commands.map(({ name, about }) => `    '${name}:${shortText(about)}'`),
    '  )',
    '  if (( CURRENT == 2 )); then _describe command commands; return; fi',
    '  case "$words[2]" in',
    ...commands.map((command) => `    ${command.name}) compadd -- ${followers(command).join(' ')} ;;`),
    '  esac',
    '}',
    'compdef _orders orders',
  ]
}

function fish(commands: readonly Command[]): string[] {
  const seen = (name: string): string => `'__fish_seen_subcommand_from ${name}'`
  return [
    'complete -c orders -f',
    ...commands.map(
      ({ name, about }) => `complete -c orders -n __fish_use_subcommand -a ${name} -d '${shortText(about)}'`,
    ),
    ...commands.flatMap(({ name, words, options }) => [
      ...actionsIn(words).map((action) => `complete -c orders -n ${seen(name)} -a ${action.name}`),
      ...Object.entries(options).map(
        ([option, { hint, about }]) =>
          `complete -c orders -n ${seen(name)} -l ${option}${hint === undefined ? '' : ' -r'} -d '${shortText(about)}'`,
      ),
    ]),
  ]
}
