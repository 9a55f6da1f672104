#!/usr/bin/env node
import { fileURLToPath } from 'node:url'

// Node runs the TypeScript sources from version 24 on. This file is plain JavaScript, so that an older Node can say so.
if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `orders needs Node 24 and this is ${process.version}: use npm scripts or npx, which bring their own, or install Node 24.\n`,
  )
  process.exit(1)
}
// Keeps compiled code between starts, which halves the CPU of a start. If the folder cannot be written, it keeps nothing.
const { enableCompileCache } = await import('node:module')
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/orders', import.meta.url)))
const { main } = await import('./main.ts')
await main(process.argv.slice(2))
