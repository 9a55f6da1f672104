import type { Telemetry } from '../telemetry.ts'

/** Redis does not answer this process, or takes no writes as a replica. */
export interface Outage {
  /** Without user and password. */
  readonly address: string
  readonly since: Date
  forMs(): number
}

/** Tracks the outages of Redis for a process, which has several connections. */
interface Outages {
  isAway(connection: object): boolean
  gone(connection: object, address: string, error: string): void
  /** The outage is over when every connection is back. */
  back(connection: object): void
  /** A connection that is closed takes part in no outage. */
  forget(connection: object): void
  /** Returns the outage that goes on. */
  current(): Outage | undefined
}

/** Time between two log lines of one outage. */
const reportEveryMs = 10_000

const outages = new WeakMap<Telemetry, Outages>()

/** Returns the one tracker of a process, which is that of its telemetry. It reports each outage once. */
export function outagesOf(telemetry: Telemetry): Outages {
  const found = outages.get(telemetry) ?? openOutages(telemetry)
  outages.set(telemetry, found)
  return found
}

function openOutages(telemetry: Telemetry): Outages {
  const away = new Set<object>()
  let outage: Outage | undefined
  let reminder: NodeJS.Timeout | undefined

  const seconds = (): number => Math.round((outage?.forMs() ?? 0) / 1_000)

  function remove(connection: object): Outage | undefined {
    if (!away.delete(connection) || away.size > 0) return undefined
    clearInterval(reminder)
    return outage
  }

  return {
    isAway: (connection) => away.has(connection),
    gone: (connection, address, error) => {
      away.add(connection)
      if (away.size > 1 || outage) return
      const from = performance.now()
      outage = { address, since: new Date(), forMs: () => performance.now() - from }
      telemetry.emit('redisAway', { address, error })
      const remind = (): void => telemetry.emit('redisStillAway', { address, seconds: seconds() })
      reminder = setInterval(remind, reportEveryMs).unref()
    },
    back: (connection) => {
      const ended = remove(connection)
      if (ended) telemetry.emit('redisBack', { address: ended.address, seconds: seconds() })
      if (away.size === 0) outage = undefined
    },
    forget: (connection) => {
      remove(connection)
      if (away.size === 0) outage = undefined
    },
    current: () => outage,
  }
}
