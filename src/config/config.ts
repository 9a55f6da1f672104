import type { z } from 'zod'
import { OrdersError } from '../errors.ts'
import { complaint } from './complaint.ts'
import { readEnvFile } from './env-file.ts'
import { contradictions, halfCredentials } from './rules.ts'
import type { Variable } from './variable.ts'
import { variables } from './variables.ts'

/** The configuration of a process: a value for each variable. */
export type Config = { readonly [K in keyof typeof variables]: z.output<(typeof variables)[K]['schema']> }

/**
 * Reads the configuration. An empty variable counts as unset.
 * @throws OrdersError ORD_CONFIG with one line per invalid variable.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const config: Record<string, unknown> = {}
  const complaints: string[] = []
  for (const [key, { name, expected, expectedOf, schema }] of Object.entries<Variable>(variables)) {
    const given = env[name] || undefined
    const parsed = schema.safeParse(given)
    if (parsed.success) config[key] = parsed.data
    else complaints.push(complaint(name, given, expectedOf?.(String(given)) ?? expected))
  }
  complaints.push(...halfCredentials(env), ...contradictions(env, config))
  if (complaints.length > 0) throw new OrdersError('ORD_CONFIG', complaints.join('\n'))
  return config as Config
}

/** Returns the environment of this process. A variable that is not set comes from `.env` in the working folder. */
export function processEnv(): NodeJS.ProcessEnv {
  for (const [name, value] of Object.entries(readEnvFile('.env'))) process.env[name] ??= value
  return process.env
}
