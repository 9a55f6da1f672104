import type { App } from '../app.ts'
import { loadScript, runScript } from '../script.ts'
import type { Stage } from './stage.ts'

const script = loadScript(import.meta.url)

/** Removes what every group of the stage's stream has acknowledged; a work stream is never trimmed by length. */
export async function trim({ redis, telemetry }: App, stage: Stage, stream: string): Promise<void> {
  const entries = Number(await runScript(redis, script, [stream], []))
  if (entries > 0) telemetry.emit('trimmed', { stage: stage.name, entries })
}
