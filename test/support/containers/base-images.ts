import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { cachedFolder } from '../debian/cache.ts'
import { debianPackages, systemPackages } from '../debian/packages.ts'
import { run } from '../debian/run.ts'
import { redisImage } from '../find-redis.ts'
import { root } from '../markdown.ts'
import type { Engine } from './engine.ts'

/**
 * Makes the images that Dockerfile, docker-compose.yml and the tests name, on an engine that has no registry: Node from this
 * checkout and Redis from Debian, each with its libraries and busybox, and configured as the official image.
 */
export async function addBaseImages({ env }: Engine): Promise<void> {
  const [node, redis] = [
    imagesIn('Dockerfile', /^FROM (node:\S+)/m),
    imagesIn('docker-compose.yml', /image: (redis:\S+)/),
  ]
  await load(env, await cachedFolder(`image-${node.replace(':', '-')}`, makeNode), node, [
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
    'CMD ["node"]',
  ])
  const folder = await cachedFolder('image-redis', makeRedis)
  const configured = ['VOLUME /data', 'WORKDIR /data', 'EXPOSE 6379', 'ENTRYPOINT ["entry"]', 'CMD ["redis-server"]']
  for (const name of [redis, redisImage]) await load(env, folder, name, configured)
}

function imagesIn(file: string, pattern: RegExp): string {
  const name = pattern.exec(readFileSync(join(root, file), 'utf8'))?.[1]
  if (name === undefined) throw new Error(`${file} names no image as ${pattern}`)
  return name
}

async function load(env: Engine['env'], folder: string, name: string, changes: readonly string[]): Promise<void> {
  const options = changes.flatMap((change) => ['--change', change])
  await run('docker', ['import', ...options, join(folder, 'rootfs.tar'), name], { env })
}

async function makeNode(folder: string): Promise<void> {
  const at = join(folder, 'rootfs')
  await addSystem(at, 'node', 1000)
  copyFileSync(join(root, 'node_modules/node/bin/node'), join(at, 'usr/local/bin/node'))
  copyFileSync(process.env['SSL_CERT_FILE'] ?? systemCertificates, join(at, systemCertificates))
  const npm = join(at, 'usr/local/lib/node_modules/npm')
  mkdirSync(npm, { recursive: true })
  await run('npm', ['pack', '--silent', 'npm@11'], { cwd: folder })
  const packed = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
  await run('tar', ['-xzf', packed, '--strip-components=1', '-C', npm], { cwd: folder })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(at, 'usr/local/bin/npm'))
  chmodSync(join(npm, 'bin/npm-cli.js'), 0o755)
  await pack(folder)
}

const systemCertificates = '/etc/ssl/certs/ca-certificates.crt'

async function makeRedis(folder: string): Promise<void> {
  const at = join(folder, 'rootfs')
  await addSystem(at, 'redis', 999)
  await copyInto(at, await debianPackages('experimental', ['redis-server', 'redis-tools']))
  const entry = join(at, 'usr/local/bin/entry')
  writeFileSync(entry, '#!/bin/sh\n[ "$1" = redis-server ] && set -- "$@" --protected-mode no\nexec "$@"\n') // as there
  chmodSync(entry, 0o755)
  mkdirSync(join(at, 'data'))
  await run('chown', ['999:999', join(at, 'data')])
  await pack(folder)
}

/** Adds what programs expect of a system: the libraries of a C++ program, a shell with its tools, root and one user. */
async function addSystem(at: string, user: string, id: number): Promise<void> {
  for (const folder of ['usr/local/bin', 'etc/ssl/certs', 'tmp', 'proc', 'sys', 'dev']) {
    mkdirSync(join(at, folder), { recursive: true })
  }
  chmodSync(join(at, 'tmp'), 0o1777)
  for (const link of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${link}`, join(at, link))
  await copyInto(at, await debianPackages('sid', systemPackages))
  for (const name of (await run(join(at, 'usr/bin/busybox'), ['--list'])).split('\n').filter(Boolean)) {
    if (!existsSync(join(at, 'usr/bin', name))) symlinkSync('busybox', join(at, 'usr/bin', name))
  }
  const users = [`root:x:0:0::/root:/bin/sh`, `${user}:x:${id}:${id}::/tmp:/bin/sh`]
  writeFileSync(join(at, 'etc/passwd'), `${users.join('\n')}\n`)
  writeFileSync(join(at, 'etc/group'), `root:x:0:\n${user}:x:${id}:\n`)
}

const copyInto = (at: string, folder: string): Promise<string> => run('cp', ['-a', `${folder}/.`, at])

async function pack(folder: string): Promise<void> {
  await run('tar', ['-C', join(folder, 'rootfs'), '-cf', join(folder, 'rootfs.tar'), '.'])
  rmSync(join(folder, 'rootfs'), { recursive: true })
}
