import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { run } from '../debian/run.ts'
import { root } from '../markdown.ts'
import { addBaseImages } from './base-images.ts'
import { type Engine, openEngine } from './engine.ts'
import { image, type Opened } from './opened.ts'

/**
 * Opens a Docker engine and builds the image while the other tests run. The tests that need them wait for a file that says
 * how it went (see opened.ts).
 */
export default function setup(project: TestProject): () => Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'orders-engine-'))
  const file = join(dir, 'opened.json')
  project.provide('engineFile', file)
  let engine: Engine | undefined
  const open = async (): Promise<Opened> => {
    engine = await openEngine()
    if (!engine) return { isMissing: true }
    const { env, isGiven } = engine
    if (!isGiven) await addBaseImages(engine)
    const build = (...args: readonly string[]): Promise<string> => run('docker', ['build', ...args, root], { env })
    // The second is what docker-compose.yml builds for its SQS: both wait for packages most of their time.
    await Promise.all([build('--tag', image), build('--target', 'sqs')])
    return { env }
  }
  const opening = open()
    .catch((error: unknown): Opened => {
      // Not every machine with dockerd can run one.
      const canSkip = process.env['CI'] !== 'true' && !engine
      return canSkip ? { isMissing: true, reason: String(error) } : { error: String(error) }
    })
    .then((opened) => writeFileSync(file, JSON.stringify(opened)))
  return async () => {
    await opening
    await engine?.[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true })
  }
}
