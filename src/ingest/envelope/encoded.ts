import { isUtf8 } from 'node:buffer'
import { gunzipSync } from 'node:zlib'
import { type Kind, layerOf } from './kind.ts'

/** A body in base64, which producers use for text that SQS refuses. */
export const base64: Kind = {
  kind: 'base64',
  mayOpen: isBase64,
  open: (text) => {
    const body = base64Text(text.trim())
    return body === undefined ? undefined : { body, layer: layerOf('base64', { source: undefined, id: undefined }) }
  },
}

/** A body that is gzipped, and in base64 because SQS takes only text. */
export const gzip: Kind = {
  kind: 'gzip',
  mayOpen: (text) => /^\s*H4sI/.test(text) && isBase64(text),
  open: (text) => {
    const body = gunzippedText(Buffer.from(text, 'base64'))
    return body === undefined ? undefined : { body, layer: layerOf('gzip', { source: undefined, id: undefined }) }
  },
}

/** Four characters for three bytes. An order has 16 bytes or more; a number or a word is no base64. */
function isBase64(text: string): boolean {
  const encoded = text.trim()
  return encoded.length >= 24 && encoded.length % 4 === 0 && /^[\w+/-]+={0,2}$/.test(encoded)
}

/** Decodes UTF-8 in base64, the alphabet of URLs too. Returns undefined if it is none. */
export function base64Text(encoded: string): string | undefined {
  const bytes = isBase64(encoded) ? Buffer.from(encoded, 'base64') : undefined
  return bytes && isUtf8(bytes) ? bytes.toString() : undefined
}

/** SQS takes 1 MiB as a message. A text that is larger when unzipped is not unwrapped: it may be a bomb. */
const maxBytes = 1_048_576

function gunzippedText(zipped: Buffer): string | undefined {
  try {
    const bytes = gunzipSync(zipped, { maxOutputLength: maxBytes })
    return isUtf8(bytes) ? bytes.toString() : undefined
  } catch {
    return undefined
  }
}
