import type { Envelope } from '../messages.ts'

const names: Readonly<Record<Envelope['layers'][number]['kind'], string>> = {
  sns: 'SNS notification',
  eventbridge: 'EventBridge event',
  cloudevents: 'CloudEvents event',
  base64: 'base64',
  gzip: 'gzip in base64',
  s3: 'S3 object',
  many: 'a body of many orders, as',
}

/** Describes the envelopes in which an order came, outermost first. */
export function envelopeText({ layers }: Pick<Envelope, 'layers'>): string {
  return layers
    .map(({ kind, id, source, subject }) =>
      [names[kind], id, ...(source ? [`of ${source}`] : []), ...(subject ? [`(${subject})`] : [])]
        .filter(Boolean)
        .join(' '),
    )
    .join(', in it ')
}
