import { z } from 'zod'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'

const find = defineScript(import.meta.url, z.string().nullable())

/** Returns the id of the first entry of a stream from an id on, after it with `(` before it; null if there is none. */
export const firstId = (redis: RedisClient, stream: string, from: string): Promise<string | null> =>
  find(redis, [stream], [from])
