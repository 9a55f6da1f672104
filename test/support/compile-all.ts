/** Loads every module of src, so that Node keeps all of them compiled: `node compile-all.ts`, with NODE_COMPILE_CACHE set. */
import { readdirSync } from 'node:fs'

const src = new URL('../../src/', import.meta.url)
const modules = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
await Promise.all([import('fauxqs'), ...modules.map((path) => import(new URL(path.replaceAll('\\', '/'), src).href))])
