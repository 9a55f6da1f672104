/** Thrown by a job that cannot go on now: it waits a moment, and is not a failed attempt. */
export class Postponed extends Error {
  override readonly name = 'Postponed'
}
