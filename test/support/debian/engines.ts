import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedFolder } from './cache.ts'
import { debianPackages, type Release, systemPackages } from './packages.ts'
import { run } from './run.ts'

/** A server that speaks the protocol of Redis, in the newest version that a release of Debian has. */
export interface RedisEngine {
  readonly name: string
  readonly release: Release
  readonly kind: 'redis' | 'valkey'
}

/** Oldest first of each kind. Debian has no 7.2 and no 7.4. */
export const engines: readonly RedisEngine[] = [
  { name: 'Redis 7.0', release: 'bookworm', kind: 'redis' },
  { name: 'Redis 8.0', release: 'sid', kind: 'redis' },
  { name: 'Redis 8.6', release: 'experimental', kind: 'redis' },
  { name: 'Valkey 8.1', release: 'trixie', kind: 'valkey' },
  { name: 'Valkey 9.1', release: 'sid', kind: 'valkey' },
]

/** The newest of each kind. */
export const newestEngines = engines.filter(({ name }) => name === 'Redis 8.6' || name === 'Valkey 9.1')

/**
 * Returns a folder for the PATH whose `redis-server` and `redis-cli` are those of an engine. They run with the libraries of
 * their own that this machine may lack.
 */
export async function binOf({ release, kind }: RedisEngine): Promise<string> {
  const [programs, system] = [
    await debianPackages(release, [`${kind}-server`, `${kind}-tools`]),
    await debianPackages('sid', systemPackages),
  ]
  const lib = join(system, 'usr/lib/x86_64-linux-gnu')
  return cachedFolder(`bin-${release}-${kind}`, async (folder) => {
    mkdirSync(folder, { recursive: true })
    for (const program of ['server', 'cli']) {
      const file = join(folder, `redis-${program}`)
      const own = join(programs, 'usr/bin', `${kind}-${program}`)
      writeFileSync(
        file,
        `#!/bin/sh\nexec ${lib}/ld-linux-x86-64.so.2 --library-path ${lib} --argv0 redis-${program} ${own} "$@"\n`,
      )
      chmodSync(file, 0o755)
    }
  })
}

/** Returns the name of an engine with its whole version, such as `Redis 8.6.3`. */
export async function versionOf(engine: RedisEngine): Promise<string> {
  const printed = await run(join(await binOf(engine), 'redis-server'), ['--version'])
  return `${engine.name.split(' ')[0]} ${/v=([\d.]+)/.exec(printed)?.[1]}`
}
