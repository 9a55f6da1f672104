#!/usr/bin/env node
import { fileURLToPath } from 'node:url'

// The sources are TypeScript, which Node runs as it is from version 24 on. Plain JavaScript, so that an older one can say so.
if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `orders needs Node 24 and this is ${process.version}: use npm scripts or npx, which bring their own, or install Node 24.\n`,
  )
  process.exit(1)
}
// Keeps compiled code between starts: a process starts with half the CPU. Where the folder cannot be written, nothing is kept.
const { enableCompileCache } = await import('node:module')
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/orders', import.meta.url)))
const { main } = await import('./cli.ts')
await main(process.argv.slice(2))
