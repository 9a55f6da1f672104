import { existsSync, readFileSync } from 'node:fs'
import { inject, type TestContext } from 'vitest'
import { run } from '../debian/run.ts'
import { requirePart } from '../requires.ts'
import { until } from '../until.ts'

declare module 'vitest' {
  interface ProvidedContext {
    engineFile: string
  }
}

/** How the opening of the engine went. */
export interface Opened {
  readonly isMissing?: boolean
  /** Why it could not be started. */
  readonly reason?: string
  readonly env?: Readonly<Record<string, string>>
  readonly error?: string
}

/** The image, built from the checkout under a name of the tests' own. */
export const image = 'order-pipeline-under-test'

/** Runs docker with the engine of this run, and returns what it printed. */
export type Docker = ((...args: readonly string[]) => Promise<string>) & {
  readonly env: Readonly<Record<string, string>>
}

/** A first run downloads packages, makes base images and builds, next to the other tests. */
const openingMs = 600_000

/** Waits for the engine and the image. Skips the test where this machine has no engine and cannot start one. */
export async function requireEngine(context: TestContext): Promise<Docker> {
  requirePart(context, process.platform !== 'win32', 'a POSIX shell')
  const file = inject('engineFile')
  await until('the Docker engine and the image', () => existsSync(file), Boolean, openingMs)
  const { env = {}, error, isMissing = false, reason }: Opened = JSON.parse(readFileSync(file, 'utf8'))
  if (error !== undefined) throw new Error(error)
  requirePart(context, !isMissing, `a Docker engine, or root and dockerd to start one${reason ? ` (${reason})` : ''}`)
  const docker = (...args: readonly string[]): Promise<string> => run('docker', args, { env })
  return Object.assign(docker, { env })
}
