#!/usr/bin/env node
// The sources are TypeScript, which Node runs as it is from version 24 on. Plain JavaScript, so that an older one can say so.
if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `orders needs Node 24 and this is ${process.version}: use npm scripts or npx, which bring their own, or install Node 24.\n`,
  )
  process.exit(1)
}
const { main } = await import('./cli.ts')
await main(process.argv.slice(2))
