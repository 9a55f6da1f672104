import type { KeyErasure } from '../../keys/declaration.ts'
import { discardedPlace, invalidPlace } from './find-invalid.ts'
import { jobsPlace } from './find-jobs.ts'
import { outcomesPlace } from './find-outcomes.ts'
import { waitingPlace } from './find-waiting.ts'
import type { Erasing, Place } from './place.ts'
import { auditPlace } from './redact-audit.ts'

/** How keys are erased by no search of their own. */
type Otherwise = 'none' | 'hashes' | 'totals' | 'shadow'

export type PlaceName = Exclude<KeyErasure, Otherwise> | 'jobs' | 'archive'

/** Where there is no archive. */
const nowhere: Place = async function* () {}

/**
 * Returns the places that are searched for a user, in this order: what a job could still take from one place to another is
 * removed from the first before the second is searched. Every answer that a key may give to `erase` has its place, or is
 * `Otherwise`.
 * @param archive that of the archive: see ops/erase
 */
export function placesWith(archive: Place = nowhere): [PlaceName, Place][] {
  const places = {
    invalid: invalidPlace,
    discarded: discardedPlace,
    jobs: jobsPlace,
    outcomes: outcomesPlace,
    stages: waitingPlace,
    archive,
    audit: auditPlace,
  } satisfies Record<PlaceName, Place>
  return Object.entries(places) as [PlaceName, Place][]
}

/** Returns the places of an erasure. */
export const placesOf = ({ archive }: Erasing): [PlaceName, Place][] =>
  placesWith(archive === 'gone' ? undefined : archive)
