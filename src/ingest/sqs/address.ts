/** Names a queue: by itself one of the own account and region, or one of any other. */
export interface QueueAddress {
  readonly name: string
  readonly account?: string
  readonly region?: string
}

/** Matches the ARN of a queue in any partition of AWS (aws, aws-cn, aws-us-gov). */
const arnForm = /^arn:aws[\w-]*:sqs:([a-z0-9-]+):(\d+):([\w-]+(?:\.fifo)?)$/

/** Reads the ARN of a queue; undefined if the text is none. */
export function readArn(text: string): Required<QueueAddress> | undefined {
  const [, region, account, name] = arnForm.exec(text) ?? []
  return region && account && name ? { name, account, region } : undefined
}
