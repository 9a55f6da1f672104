import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { messageOf, OrdersError } from '../../errors.ts'
import type { Segment } from '../../stages/archive/manifest.ts'
import { type ArchivedRecord, archivedRecord } from '../../stages/archive/record.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'

/**
 * Yields the records of a segment in its order. At the end it has compared the bytes, their SHA-256 and the number of records
 * with the manifest.
 * @throws OrdersError ORD_ARCHIVE if the object is missing or differs
 */
export async function* readRecords(
  store: Pick<ObjectStore, 'get'>,
  { name, bytes, sha256, records }: Segment,
): AsyncGenerator<ArchivedRecord, void> {
  const hash = createHash('sha256')
  let [read, lines] = [0, 0]
  const count = (chunk: Buffer): void => {
    hash.update(chunk)
    read += chunk.length
  }
  for await (const record of recordsIn(store, name, count)) {
    lines += 1
    yield record
  }
  if (read !== bytes) throw differs(name, `has ${read} bytes, and ${bytes} by the manifest`)
  if (hash.digest('hex') !== sha256) throw differs(name, 'has another SHA-256 than in the manifest')
  if (lines !== records) throw differs(name, `has ${lines} records, and ${records} by the manifest`)
}

/**
 * Yields the records of an object that no line of the manifest describes.
 * @param onChunk called with all bytes, piece by piece
 * @throws OrdersError ORD_ARCHIVE if it is missing, or no segment: see isNoSegment
 */
export async function* recordsIn(
  store: Pick<ObjectStore, 'get'>,
  name: string,
  onChunk: (chunk: Buffer) => void = () => {},
): AsyncGenerator<ArchivedRecord, void> {
  const found = await store.get(name)
  if (!found) throw differs(name, 'is missing')
  const bytes = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of found) {
      onChunk(chunk)
      yield chunk
    }
  }
  for await (const line of linesIn(bytes(), name)) yield parseRecord(line, name)
}

/** Returns whether an object is missing, is no segment, or is not the one of the manifest. It is not where the store has failed. */
export const isNoSegment = (error: unknown): boolean =>
  error instanceof OrdersError && error.details['segment'] !== undefined

/** Returns whether the archive itself is damaged: asking it again does not help. */
export const isDamage = (error: unknown): boolean =>
  isNoSegment(error) || (error instanceof OrdersError && error.details['chain'] !== undefined)

/** Yields the lines of a packed text. Only a line feed ends one: a body may hold other line breaks of Unicode. */
async function* linesIn(bytes: AsyncIterable<Buffer>, name: string): AsyncIterable<string> {
  const source = Readable.from(bytes)
  const unpacked = createGunzip()
  source.on('error', (error) => unpacked.destroy(error))
  const parts: Buffer[] = []
  try {
    for await (const chunk of source.pipe(unpacked) as AsyncIterable<Buffer>) {
      let from = 0
      for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, from)) {
        parts.push(chunk.subarray(from, end))
        yield Buffer.concat(parts.splice(0)).toString()
        from = end + 1
      }
      if (from < chunk.length) parts.push(chunk.subarray(from))
    }
  } catch (error) {
    if (error instanceof OrdersError) throw error
    throw differs(name, `cannot be unpacked: ${messageOf(error)}`)
  } finally {
    source.destroy()
    unpacked.destroy()
  }
  if (parts.length > 0) throw differs(name, 'ends within a line')
}

const lineFeed = 10

function parseRecord(line: string, name: string): ArchivedRecord {
  try {
    return archivedRecord.parse(JSON.parse(line))
  } catch (cause) {
    throw differs(name, 'has a line that is no record', { cause })
  }
}

const differs = (name: string, how: string, options: ErrorOptions = {}): OrdersError =>
  new OrdersError('ORD_ARCHIVE', `The segment ${name} ${how}.`, { ...options, details: { segment: name } })
