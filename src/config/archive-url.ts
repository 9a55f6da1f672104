import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the archive is: a folder, or a bucket and the beginning of the names in it. */
export type ArchivePlace = { readonly folder: string } | { readonly bucket: string; readonly prefix: string }

/** Of a general purpose bucket. */
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const prefixForm = /^[\w!.*'()/-]*$/

/** Reads `file:///var/orders` or `s3://bucket/prefix`. Returns undefined for another form. */
export function readArchiveUrl(url: string): ArchivePlace | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, host, pathname, search, hash, username } = new URL(url)
  if (search !== '' || hash !== '' || username !== '') return undefined
  if (protocol === 'file:') return host === '' ? folderOf(url) : undefined
  const prefix = pathname.replace(/^\/+|\/+$/g, '')
  if (protocol !== 's3:' || !bucketName.test(host) || !prefixForm.test(prefix)) return undefined
  return { bucket: host, prefix: prefix === '' ? '' : `${prefix}/` }
}

function folderOf(url: string): ArchivePlace | undefined {
  try {
    const folder = fileURLToPath(url)
    return isAbsolute(folder) ? { folder } : undefined
  } catch {
    return undefined // on Windows, one without a drive
  }
}
