import { once } from 'node:events'
import { createServer, connect as open, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { until } from './until.ts'

/** Records which commands each client sends to a redis-server, those that its scripts call included. */
export interface Recorder extends AsyncDisposable {
  /** A port that leads to the server; what comes in by it is recorded under this name. */
  portFor(name: string): Promise<number>
  /** In upper case, in order of the alphabet: `XINFO|GROUPS` of a command that has subcommands. */
  commandsOf(name: string): Promise<string[]>
}

/** MONITOR names the connection of a command, and after it those that its script calls as `lua`. */
export async function openRecorder(port: number): Promise<Recorder> {
  const redis = new Redis(port)
  const monitor = await redis.monitor()
  const names = new Map<string, string>()
  const recorded = new Map<string, Set<string>>()
  let [last, mark] = ['', '']
  monitor.on('monitor', (_time: string, words: string[], source: string) => {
    const from = source.startsWith('lua') ? last : `${source.split(':').at(-1)}`
    last = from
    if (words[0]?.toLowerCase() === 'echo') mark = words[1] ?? ''
    recorded.get(names.get(from) ?? '')?.add(commandIn(words))
  })
  const stack = new AsyncDisposableStack()
  stack.defer(() => monitor.disconnect())
  stack.defer(() => redis.disconnect())
  const portFor = async (name: string): Promise<number> => {
    recorded.set(name, new Set())
    const proxy = stack.use(await openPort(port, (source) => names.set(source, name)))
    return proxy.port
  }
  const commandsOf = async (name: string): Promise<string[]> => {
    const sent = `${performance.now()}`
    await redis.echo(sent)
    await until('the monitor to have shown all', () => mark === sent)
    return [...(recorded.get(name) ?? [])].sort()
  }
  return { portFor, commandsOf, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const withSubcommands = ['XINFO', 'XGROUP', 'CLIENT', 'COMMAND', 'CLUSTER', 'SCRIPT']

function commandIn([name = '', sub = '']: readonly string[]): string {
  const upper = name.toUpperCase()
  return withSubcommands.includes(upper) ? `${upper}|${sub.toUpperCase()}` : upper
}

/** @param opened called with the port from which each connection goes on to the server */
async function openPort(target: number, opened: (source: string) => void): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = open({ port: target, host: '127.0.0.1', noDelay: true })
    far.once('connect', () => {
      opened(`${far.localPort}`)
      near.pipe(far).pipe(near)
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const close = async (): Promise<void> => {
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  return { port: address.port, [Symbol.asyncDispose]: close }
}
