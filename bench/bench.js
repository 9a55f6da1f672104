// Plain JavaScript, so that it can install what bench/ needs before anything that needs it is loaded.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const folder = new URL('.', import.meta.url)
const args = process.argv.slice(2)
if (!args.includes('--help') && process.platform !== 'linux') {
  process.stderr.write(
    'The bench reads CPU times from /proc, which only Linux has: run it on Linux, in a container or in WSL.\n',
  )
  process.exit(1)
}
if (!args.includes('--help') && !existsSync(new URL('node_modules', folder))) {
  process.stderr.write('bench: installing what it compares with (npm ci in bench/)\n')
  // npm itself, run by Node: on Windows the npm on the PATH is a script, which only a shell can start.
  const npm = process.env.npm_execpath
  const [program, first] = npm ? [process.execPath, [npm]] : ['npm', []]
  execFileSync(program, [...first, 'ci', '--no-fund', '--no-audit'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
const { main } = await import('./cli.ts')
await main(args)
