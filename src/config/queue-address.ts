/** Names a queue: by itself one of the own account and region, or one of any other. */
export interface QueueAddress {
  readonly name: string
  readonly account?: string
  readonly region?: string
  /** The URL that was given. */
  readonly url?: string
}

/** Matches the ARN of a queue in any partition of AWS (aws, aws-cn, aws-us-gov). */
const arnForm = /^arn:aws[\w-]*:sqs:([a-z0-9-]+):(\d+):([\w-]+(?:\.fifo)?)$/

/** Reads the ARN of a queue; undefined if the text is none. */
export function readArn(text: string): Required<Omit<QueueAddress, 'url'>> | undefined {
  const [, region, account, name] = arnForm.exec(text) ?? []
  return region && account && name && name.length <= maxName ? { name, account, region } : undefined
}

/** The limit of SQS, which counts `.fifo`. */
const maxName = 80

/** Matches the account, if there is one, and the name at the end of a queue's URL. */
const pathForm = /\/(?:(\d{12})\/)?([\w-]+(?:\.fifo)?)$/

/** Matches the region in a host of AWS, an emulator included: sqs.REGION. or, as AWS had it first, REGION.queue. */
const regionForm = /(?:^|\.)sqs(?:-fips)?\.([a-z]{2,}(?:-[a-z]+)+-\d)\.|^([a-z0-9-]+)\.queue\./

/** Reads the URL of a queue; undefined if the text is none. */
export function readQueueUrl(text: string): QueueAddress | undefined {
  if (/\s/.test(text) || !URL.canParse(text)) return undefined
  const { protocol, hostname, pathname, search, hash } = new URL(text)
  const [, account, name] = pathForm.exec(pathname) ?? []
  if (!/^https?:$/.test(protocol) || !name || name.length > maxName || search || hash) return undefined
  const [, region, regionThen] = regionForm.exec(hostname) ?? []
  const found = region ?? regionThen
  return { name, url: text, ...(account && { account }), ...(found && { region: found }) }
}

interface Named {
  readonly sqsQueueName: string
  readonly sqsQueueUrl?: string | undefined
}

/** Returns the queue that a configuration names. */
export function queueAddress({ sqsQueueName, sqsQueueUrl }: Named): QueueAddress {
  return (sqsQueueUrl && readQueueUrl(sqsQueueUrl)) || (readArn(sqsQueueName) ?? { name: sqsQueueName })
}

/** Reports whether the queue is named by more than its name: it belongs to another, and is never created. */
export const isForeign = ({ account, url }: QueueAddress): boolean => account !== undefined || url !== undefined
