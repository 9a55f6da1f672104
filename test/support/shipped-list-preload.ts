/** A preload (`node --import`) that gives a process the list of stages that we ship. See shipped-list.ts. */
import { registerHooks } from 'node:module'

const own = new URL('../../src/stages/pipeline.ts', import.meta.url).href
const shipped = new URL('./shipped-pipeline.ts', import.meta.url).href

registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context)
    return found.url === own ? { ...found, url: shipped } : found
  },
})
