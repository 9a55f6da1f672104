import { hintOf } from '../../src/stages/hints/hint.ts'
import { readCases } from '../support/cases.ts'
import { checkOrder } from '../support/order-bodies.ts'
import { plainFormat } from '../support/plain-format.ts'

/** Prints a table of the cases: name, code, and the hint as it is made now. */
for (const { name, body } of [...readCases('bodies'), ...(process.argv.includes('--all') ? readCases('hints') : [])]) {
  const verdict = checkOrder(body, plainFormat)
  const [code, hint] = 'code' in verdict ? [verdict.code, hintOf({ ...verdict, body }, plainFormat)] : ['accepted', '']
  process.stdout.write(`${name.padEnd(26)}  ${code.padEnd(15)}  ${hint ?? '–'}\n`)
}
