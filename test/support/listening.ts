import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** IPv4 addresses, in dotted form, and IPv6 addresses, in hex, that a process listens on, from the kernel's tables. */
export function listeningAddresses(pid: number | undefined): string[] {
  const own = socketsOf(pid)
  return ['tcp', 'tcp6'].flatMap((table) => {
    const file = `/proc/${pid}/net/${table}`
    if (!existsSync(file)) return []
    const rows = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((row) => row.trim().split(/\s+/))
    return rows.flatMap(([, local = '', , state, , , , , , inode = '']) => {
      const address = local.split(':')[0] ?? ''
      return state === listening && own.has(inode) ? [dotted(address)] : []
    })
  })
}

const listening = '0A'

function socketsOf(pid: number | undefined): Set<string> {
  const folder = `/proc/${pid}/fd`
  const targets = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`)
    } catch {
      return '' // closed meanwhile
    }
  })
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []))
}

/** The kernel writes an IPv4 address as one little-endian number. */
function dotted(hex: string): string {
  if (hex.length !== 8) return hex
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.')
}
