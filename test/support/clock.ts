/**
 * Sets the wall clock of a process off by CLOCK_OFFSET_MS: `NODE_OPTIONS=--import=<this file>`. The monotonic clock stays
 * as it is, as when an operator sets the time of a machine.
 */
const offsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? 0)
const TrueDate = Date

globalThis.Date = new Proxy(TrueDate, {
  construct: (_, args, target) => Reflect.construct(TrueDate, args.length === 0 ? [shiftedNow()] : args, target),
  apply: () => new TrueDate(shiftedNow()).toString(),
  get: (date, name, receiver) => (name === 'now' ? shiftedNow : Reflect.get(date, name, receiver)),
})

function shiftedNow(): number {
  return TrueDate.now() + offsetMs
}
