import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedFolder } from './cache.ts'
import { run } from './run.ts'

/** A release of Debian. Later ones than this machine's have newer programs. */
export type Release = 'bookworm' | 'trixie' | 'sid' | 'experimental'

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Libraries of programs in C and C++, such as the servers of Redis and Valkey, and a shell. */
export const systemPackages = [
  ...['busybox-static', 'libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'libssl3t64', 'libjemalloc2', 'liblzf1'],
  ...['libsystemd0', 'libcap2', 'zlib1g', 'libzstd1'],
]

/**
 * Downloads packages of a release of Debian, without what they depend on, and unpacks them into a folder. Nothing is
 * installed: this machine keeps its release.
 */
export const debianPackages = (release: Release, names: readonly string[]): Promise<string> =>
  unpacked(`${release}-${names[0]}-${digestOf(names)}`, release, 'debs', ['download', ...names])

/** The same with all that a package depends on, down to the C library. */
export const debianClosure = (release: Release, name: string): Promise<string> =>
  unpacked(`${release}-${name}-whole`, release, 'cache/archives', [
    ...['install', '--download-only', '--no-install-recommends', '--yes', name],
  ])

function unpacked(name: string, release: Release, to: string, command: readonly string[]): Promise<string> {
  return cachedFolder(name, async (folder) => {
    const apt = await aptOf(release, join(folder, 'apt'))
    await run('apt-get', [...apt, ...command], { cwd: join(folder, 'apt/debs') })
    for (const file of readdirSync(join(folder, 'apt', to)).filter((file) => file.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(folder, 'apt', to, file), folder])
    }
    rmSync(join(folder, 'apt'), { recursive: true })
  })
}

const digestOf = (names: readonly string[]): string =>
  createHash('sha256').update(names.join()).digest('hex').slice(0, 8)

/** Returns the options of an apt that knows one release and keeps its state in a folder of its own. */
async function aptOf(release: Release, folder: string): Promise<string[]> {
  for (const name of ['debs', 'lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(folder, name), { recursive: true })
  }
  const list = join(folder, 'next.list')
  writeFileSync(list, `deb [signed-by=${keyring}] ${await mirror()} ${release} main\n`)
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(folder, 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'Dir::State::status=/dev/null', // what this machine has installed plays no part
    'APT::Sandbox::User=root', // the folder is not readable for apt's own user
  ]
  const apt = ['-qq', ...options.map((option) => `-o=${option}`)]
  await run('apt-get', [...apt, 'update'])
  return apt
}

/** Returns the address of the mirror that this machine's own packages come from. */
async function mirror(): Promise<string> {
  const targets = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Origin: Debian'])
  const found = targets.split('\n').find((uri) => uri !== '' && !uri.includes('security'))
  if (found === undefined) throw new Error('apt names no mirror of Debian.')
  return found
}
