import { z } from 'zod'
import { type RecordKind, runnerFields } from '../messages.ts'
import type { StageDefinition } from './stage.ts'

/**
 * Throws unless the records have every field that the stage requires, with the same type, and none has a field that the
 * runner adds.
 */
export function requireFit(definition: StageDefinition, passed: RecordKind, writer: StageDefinition | undefined): void {
  const { name, takes, passes } = definition
  for (const kind of [takes, ...(passes ? [passes.record] : [])]) requireNoRunnerField(name, kind)
  if (takes === passed) return
  const [wanted, given] = [z.toJSONSchema(takes.schema), z.toJSONSchema(passed.schema)]
  const missing = (wanted.required ?? []).filter((field) => {
    const [one, other] = [wanted.properties?.[field], given.properties?.[field]]
    return !given.required?.includes(field) || typeOf(one) !== typeOf(other)
  })
  if (missing.length === 0) return
  const from = writer ? `${writer.name} does not pass on` : 'the bridge does not write'
  throw new Error(`${name} takes ${missing.join(', ')}, which ${from}.`)
}

const typeOf = (schema: unknown): unknown =>
  typeof schema === 'object' && schema !== null && 'type' in schema ? schema.type : undefined

function requireNoRunnerField(name: string, { schema }: RecordKind): void {
  const taken = Object.keys(runnerFields).filter((field) => field in schema.shape)
  if (taken.length === 0) return
  throw new Error(`A record of ${name} has a field ${taken.join(', ')}, which the runner adds: give it another name.`)
}
