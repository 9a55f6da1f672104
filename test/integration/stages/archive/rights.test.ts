import { expect, test } from 'vitest'
import { blocksOf } from '../../../support/pages/blocks.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { openS3Recorder, type S3Call } from '../../../support/s3-recorder.ts'
import { createBucket } from '../../../support/s3-server.ts'
import { sendBodies } from '../../../support/send.ts'
import { emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const page = 'docs/how-to/aws.md'

interface Statement {
  readonly Action: readonly string[]
  readonly Resource: string
  readonly Condition?: { readonly StringLike: { readonly 's3:prefix': string } }
}

const statements = (): readonly Statement[] => {
  const block = blocksOf(page).find(({ language, info }) => language === 'json' && info === 'archive')
  return JSON.parse(block?.text ?? '').Statement
}

/** Says whether a text is what a pattern of a policy stands for. */
const fits = (pattern: string, text: string): boolean => {
  const [before = '', after] = pattern.split('*')
  return after === undefined ? text === pattern : text.startsWith(before)
}

const allows = ({ Action, Resource, Condition }: Statement, { action, resource, prefix = '' }: S3Call): boolean =>
  Action.includes(action) &&
  fits(Resource, `arn:aws:s3:::${resource}`) &&
  (!Condition || fits(Condition.StringLike['s3:prefix'], prefix))

test(`the policy of ${page} allows what the archive calls, and nothing else`, async (context) => {
  requireRealRedis(context)
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  await createBucket(sqs.url, 'orders-archive')
  await using recorder = await openS3Recorder(sqs.url)
  const archive = { ARCHIVE_URL: 's3://orders-archive/orders', AWS_ENDPOINT_URL_S3: recorder.url }
  const env = envOf(redis.url, sqs, archive)
  await using roles = runOrders(['run', 'bridge', 'validate', 'archive', 'aggregate', 'leaderboard', 'jobs'], env)
  await roles.started()
  await sendBodies(env, ['{"user_id":"u","order_id":"o","order_value":1}'])
  for (const words of [
    ['archive', 'flush'],
    ['archive', 'verify'],
    ['doctor', 'archive'],
    ['erase', 'u', '--yes'],
  ]) {
    await using command = runOrders(words, env)
    expect([words, (await command.exit()).code, command.stderr()]).toEqual([words, 0, ''])
  }
  await roles.stop()
  const { calls } = recorder
  expect(calls.filter((call) => !statements().some((one) => allows(one, call)))).toEqual([])
  const unused = statements().map((one) =>
    one.Action.filter((action) => !calls.some((call) => call.action === action && allows(one, call))),
  )
  expect(unused).toEqual([[], []])
})
