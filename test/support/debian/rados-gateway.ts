import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killOnExit, removeOnExit } from '../on-exit.ts'
import { freePort } from '../redis-server.ts'
import type { S3Server } from '../s3-server.ts'
import { until } from '../until.ts'
import { debianClosure } from './packages.ts'

/** Its only user has the keys that tests use for every server. */
const user = ['user', 'create', '--uid=test', '--display-name=test', '--access-key=test', '--secret-key=test']

/**
 * Starts the S3 server of Ceph, from Debian's packages, with its objects in an SQLite file instead of a cluster. It checks the
 * signature of every request.
 */
export async function spawnRadosGateway(): Promise<S3Server> {
  const packages = await debianClosure('trixie', 'radosgw')
  const lib = join(packages, 'usr/lib/x86_64-linux-gnu')
  const dir = mkdtempSync(join(tmpdir(), 'orders-test-s3-'))
  const folder = removeOnExit(dir)
  const port = await freePort()
  const config = join(dir, 'ceph.conf')
  writeFileSync(config, configOf(dir, port))
  mkdirSync(join(dir, 'data'))
  const argumentsOf = (program: string): string[] => [
    ...['--library-path', `${lib}:${lib}/ceph`, join(packages, 'usr/bin', program)],
    ...['-c', config, '--no-mon-config', '-n', 'client.rgw'],
  ]
  const loader = join(lib, 'ld-linux-x86-64.so.2')
  await createUser(loader, argumentsOf('radosgw-admin'))
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const started = spawn(loader, [...argumentsOf('radosgw'), '-f'], { stdio: 'ignore' })
    child = started
    killOnExit(started)
    await until(`the gateway at ${url} to answer`, async () => {
      if (started.exitCode !== null) throw new Error(`radosgw ended with ${started.exitCode}`)
      return fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    })
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
  const close = async (): Promise<void> => {
    await kill()
    folder[Symbol.dispose]()
  }
  await start()
  return { url, port, kill, start, [Symbol.asyncDispose]: close }
}

/** Under load the program often hangs at its end, its work done. So it is killed once it has said which user it made. */
async function createUser(loader: string, given: readonly string[]): Promise<void> {
  const child = spawn(loader, [...given, ...user], { stdio: ['ignore', 'pipe', 'pipe'] })
  killOnExit(child)
  const ended = once(child, 'exit')
  let [made, errors] = ['', '']
  child.stderr.on('data', (text) => {
    errors += text
  })
  for await (const text of child.stdout) {
    made += text
    if (isWhole(made)) break
  }
  child.kill('SIGKILL')
  await ended
  if (!isWhole(made)) throw new Error(`radosgw-admin made no user: ${made}${errors}`)
}

function isWhole(text: string): boolean {
  try {
    return JSON.parse(text).user_id === 'test'
  } catch {
    return false
  }
}

const configOf = (dir: string, port: number): string => `[global]
fsid = 00000000-0000-4000-8000-000000000000
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
admin_socket =
run_dir = ${dir}
log_file = ${dir}/log
pid_file = ${dir}/pid
[client]
rgw_backend_store = dbstore
rgw_config_store = dbstore
dbstore_config_uri = file:${dir}/data/config.db
dbstore_db_dir = ${dir}/data
rgw_data = ${dir}/data
rgw_frontends = beast endpoint=127.0.0.1:${port}
`
