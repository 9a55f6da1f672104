import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'
import { fixed, table } from './harness.ts'

export const profileFolder = fileURLToPath(new URL('./.profiles', import.meta.url))

/** Returns the arguments that make a node process write a CPU profile of its role. */
export function profileArgs(role: string, profile: boolean): string[] {
  if (!profile) return []
  mkdirSync(profileFolder, { recursive: true })
  return ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${role}.cpuprofile`]
}

/** Starts a CPU profile within this process, if a role is given. The returned function ends and writes it. */
export async function startProfile(role: string | undefined): Promise<() => Promise<void>> {
  if (role === undefined) return async () => {}
  mkdirSync(profileFolder, { recursive: true })
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(`${profileFolder}/${role}.cpuprofile`, JSON.stringify(profile))
    session.disconnect()
  }
}

interface CpuProfile {
  readonly nodes: readonly { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Returns the frames with the most self time, as shares of the busy time. */
export function hottest(role: string, count = 10): { frame: string; percent: number }[] {
  const profile: CpuProfile = JSON.parse(readFileSync(`${profileFolder}/${role}.cpuprofile`, 'utf8'))
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const spent = new Map<string, number>()
  let busy = 0
  for (const [at, sample] of profile.samples.entries()) {
    const name = names.get(sample) ?? '?'
    if (notWork.test(name)) continue
    const us = profile.timeDeltas[at] ?? 0
    busy += us
    spent.set(name, (spent.get(name) ?? 0) + us)
  }
  return [...spent]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([frame, us]) => ({ frame, percent: fixed((100 * us) / busy, 1) }))
}

const notWork = /^\((idle|root|program)\)$|^post node:inspector/

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^file:\/\//, '').replace(/^.*\/(node_modules\/|src\/|bench\/)/, '$1')
  return url === '' ? functionName : `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`
}

export function printProfiles(print: (line: string) => void): Record<string, unknown> {
  const roles = readdirSync(profileFolder).map((name) => name.replace('.cpuprofile', ''))
  const all = roles.map((role) => [role, hottest(role)] as const)
  for (const [role, frames] of all) {
    print(
      table(
        [`hottest frames of ${role}`, '% of busy time'],
        frames.map(({ frame, percent }) => [frame, percent]),
      ),
    )
  }
  return Object.fromEntries(all)
}
