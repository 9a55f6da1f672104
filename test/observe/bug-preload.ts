/** A preload (`node --import`) that gives validate a bug: it fails on the orders of one user. */
import { registerHooks } from 'node:module'

const validate = new URL('../../src/stages/validate.ts', import.meta.url).href
const call = 'const message = checkMessage(body, format)'
const failing = `if (body.includes('"buggy"')) throw new Error('a bug'); ${call}`

registerHooks({
  load: (url, context, next) => {
    const found = next(url, context)
    if (url !== validate) return found
    const source = String(found.source)
    if (!source.includes(call)) throw new Error(`${url} does not have: ${call}`)
    return { ...found, source: source.replace(call, failing) }
  },
})
