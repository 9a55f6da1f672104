import type { Request } from 'express'
import { messageOf } from '../../errors.ts'
import { type Problem, problemOf } from './problem.ts'

/**
 * Makes a problem of an error of Express or its body parser; returns undefined for any other error.
 * An error of decompression comes from zlib as it is, with a status and no `type`.
 */
export function unreadable(error: unknown, request: Request): Problem | undefined {
  const { status, type } = error as { status?: number; type?: string }
  if (status === undefined || status < 400 || status >= 500) return undefined
  return problemOf(status, sentence(error, { status, type, encoding: request.get('content-encoding') }))
}

interface Refused {
  readonly status: number
  readonly type: string | undefined
  readonly encoding: string | undefined
}

function sentence(error: unknown, { status, type, encoding }: Refused): string {
  if (status === 413) return bodyTooLarge
  if (error instanceof URIError) return 'The path is not UTF-8: percent-encode it as UTF-8.'
  if (type === 'charset.unsupported') return 'The charset of the content-type is not supported: send JSON in UTF-8.'
  if (type === 'encoding.unsupported') {
    return `Content-Encoding ${encoding} is not supported: send the body in gzip, deflate or br, or without the header.`
  }
  if (type === undefined && encoding !== undefined) {
    return `The body is not ${encoding}, as Content-Encoding says: send it in that encoding, or without the header.`
  }
  return messageOf(error)
}

/** The largest message of SQS is 1 MiB. Laid out to be read, as in an editor, its order has two to three times as much. */
export const bodyLimit = '4mb'
export const bodyTooLarge = 'The body is larger than 4 MB.'
