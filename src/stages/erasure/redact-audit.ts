import { z } from 'zod'
import { readAudit } from '../../control/audit-log.ts'
import type { ControlKeys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { mentioning, redactor } from './names.ts'
import type { Place } from './place.ts'

const redact = defineScript(import.meta.url, z.int())

/** Gives entries of the audit log another `what`. @param all ids and texts, alternating. @returns how many it has changed */
export const redactAudit = (redis: RedisClient, control: ControlKeys, all: readonly string[]): Promise<number> =>
  redact(redis, [control.audit], all)

const pageLength = 500

/** Finds entries of the audit log that mention the user. They stay, with another word in place of the id. */
export const auditPlace: Place = async function* ({ app: { redis, control }, userId }) {
  const [mentions, withoutId] = [mentioning(userId), redactor(userId)]
  for (let before: string | undefined, read = pageLength; read === pageLength; ) {
    const page = await readAudit(redis, control, { limit: pageLength, before })
    const found = page.filter(({ what }) => mentions(what))
    const all = found.flatMap(({ id, what }) => [id, withoutId(what)])
    let once: Promise<number> | undefined // the script writes the whole log again: once for a page
    for (const { id } of found) {
      const remove = async (): Promise<boolean> => {
        once ??= redactAudit(redis, control, all)
        return (await once) > 0
      }
      yield { record: id, remove }
    }
    read = page.length
    before = page.at(-1)?.id
  }
}
