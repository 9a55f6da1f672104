import type { Envelope } from '../../messages.ts'
import { isObject } from '../../order/json.ts'
import { layerOf } from './kind.ts'

/** An object of S3 that holds an order. */
export interface S3Pointer {
  readonly bucket: string
  readonly key: string
}

/** The class names that the extended client libraries of AWS write, old and new. */
const classNames: ReadonlySet<unknown> = new Set([
  'software.amazon.payloadoffloading.PayloadS3Pointer',
  'com.amazon.sqs.javamessaging.MessageS3Pointer',
])

/** Reads the pointer that an extended client sends in place of a large message; undefined unless it has that exact shape. */
export function pointerIn(text: string): S3Pointer | undefined {
  if (!/^\s*\[/.test(text) || !text.includes('S3Pointer')) return undefined
  const [name, place, ...more] = listIn(text)
  if (more.length > 0 || !classNames.has(name) || !isObject(place)) return undefined
  const { s3BucketName: bucket, s3Key: key } = place
  return typeof bucket === 'string' && typeof key === 'string' && bucket && key ? { bucket, key } : undefined
}

function listIn(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

export const pointerLayer = ({ bucket, key }: S3Pointer): Envelope['layers'][number] =>
  layerOf('s3', { source: bucket, id: key })
