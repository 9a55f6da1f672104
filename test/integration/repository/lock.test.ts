import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const root = join(import.meta.dirname, '../../..')

const entry = z.looseObject({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  link: z.boolean().default(false),
  inBundle: z.boolean().default(false),
})
const lockFile = z.looseObject({ lockfileVersion: z.literal(3), packages: z.record(z.string(), entry) })

describe.each(['package-lock.json', 'bench/package-lock.json'])('%s', (file) => {
  const { packages } = lockFile.parse(JSON.parse(readFileSync(join(root, file), 'utf8')))
  // The entry of the empty path is the project itself.
  const installed = Object.entries(packages).filter(([path]) => path !== '')
  // A link has no tarball; a bundled package is inside the tarball of another.
  const tarballs = installed.filter(([, { link, inBundle }]) => !link && !inBundle)

  it('has a SHA-512 for every tarball, so that an altered one does not install', () => {
    expect(tarballs.length).toBeGreaterThan(50)
    const sha512 = /^sha512-[A-Za-z0-9+/]{86}==$/
    expect(tarballs.filter(([, { integrity }]) => !sha512.test(integrity ?? '')).map(([path]) => path)).toEqual([])
  })

  it('names no registry host: each machine installs from the registry it is set to', () => {
    expect(installed.filter(([, { resolved, link }]) => resolved !== undefined && !link)).toEqual([])
  })
})

it.each(['', 'bench/'])('%s.npmrc keeps npm from writing a registry host into the lock', (folder) => {
  expect(readFileSync(join(root, folder, '.npmrc'), 'utf8').split('\n')).toContain(
    'omit-lockfile-registry-resolved=true',
  )
})
