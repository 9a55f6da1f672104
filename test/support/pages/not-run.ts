import type { Simple } from './shell.ts'

/** Commands of pages that no test of the pages runs, and why. */
const notRun: readonly (readonly [RegExp, string])[] = [
  [/^npm ci$/, 'the checkout has been installed'],
  [
    /^npm (test|run (test:\w+|check|bench|observe|chaos|docs|types|lint|screenshots))\b/,
    'takes minutes, or would run itself',
  ],
  [/^(npx|npm) .*\b(average|bad-currency)\b/, 'a page adds it, and test/e2e/own-code.test.ts runs it'],
  [
    /^npx orders invalid edit /,
    'needs an editor, or corrects what the next command does; test/e2e/invalid.test.ts runs it',
  ],
  [/^npx orders (rebuild|backfill) ?/, 'needs an archive; test/integration/ops/commands/rebuild.test.ts runs it'],
  [/^git pull$/, 'the checkout is the release under test'],
  [
    /^(sudo|systemctl|journalctl) |localhost:91/,
    'needs systemd and root; test/integration/deploy/systemd.test.ts checks it',
  ],
  [/^docker /, 'test/containers/compose.test.ts runs it'],
  [/^(kubectl|helm|aws) /, 'needs a cluster or an account; what it names is checked'],
]

export const whyNotRun = ({ words }: Simple): string | undefined =>
  notRun.find(([pattern]) => pattern.test(words.join(' ')))?.[1]
