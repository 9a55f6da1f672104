import type { Redis } from 'ioredis'

/** Returns a function that says how many arguments the longest request had since then, its command included. */
export function maxRequest(redis: Redis): () => number {
  let max = 0
  const send = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, ...rest) => {
    max = Math.max(max, 1 + command.args.length)
    return send(command, ...rest)
  }
  return () => max
}
