// Plain JavaScript, so that it can install what bench/ needs before anything that needs it is loaded.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const folder = new URL('.', import.meta.url)
const args = process.argv.slice(2)
if (!args.includes('--help') && !existsSync(new URL('node_modules', folder))) {
  process.stderr.write('bench: installing what it compares with (npm ci in bench/)\n')
  execFileSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}
const { main } = await import('./cli.ts')
await main(args)
