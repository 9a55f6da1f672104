import { expect, test } from 'vitest'
import { OrdersError } from '../../../src/errors.ts'
import {
  doesNotAnswer,
  hasReplyCode,
  isAway,
  isForbidden,
  isLayoutChanged,
  isMissingStream,
  isNotMaster,
  isScriptFault,
  isWrongType,
} from '../../../src/redis/errors.ts'

const named = (fields: { name?: string; code?: string }, message = 'no'): Error =>
  Object.assign(new Error(message), fields)
const reply = (message: string): Error => named({ name: 'ReplyError' }, message)

test.each([
  named({ name: 'MaxRetriesPerRequestError' }),
  named({ name: 'ClusterAllFailedError' }),
  named({ code: 'ECONNREFUSED' }),
  named({ code: 'EHOSTUNREACH' }),
  new Error('Connection is closed.'),
  new Error('Command timed out'),
  reply('CLUSTERDOWN The cluster is down'),
  new OrdersError('ORD_REDIS_UNREACHABLE', 'It is gone.'),
])('%s is Redis not answering', (error) => {
  expect(doesNotAnswer(error)).toBe(true)
  expect(isAway(error)).toBe(true)
})

test('an error of ours is known by its code, whatever its text says', () => {
  expect(isAway(new OrdersError('ORD_SQS', 'SQS does not answer (ECONNREFUSED).'))).toBe(false)
  expect(isLayoutChanged(new OrdersError('ORD_LAYOUT', 'Redis has 8 partitions now.'))).toBe(true)
  expect(isLayoutChanged(reply('ORDERS there are 8 partitions now'))).toBe(false)
})

test('a server that takes no writes is away, and answers', () => {
  const full = reply("OOM command not allowed when used memory > 'maxmemory'.")
  expect([doesNotAnswer(full), isAway(full), isNotMaster(full)]).toEqual([false, true, false])
  const replica = reply("READONLY You can't write against a read only replica.")
  expect([doesNotAnswer(replica), isAway(replica), isNotMaster(replica)]).toEqual([false, true, true])
})

test.each([
  "NOPERM this user has no permissions to run the 'get' command", // Redis 7.0
  "NOPERM User orders has no permissions to run the 'get' command",
  'NOPERM No permissions to access a key',
  "ERR The user executing the script can't run this command or subcommand script: d8e6, on @user_script:1.", // Redis 7.0
  "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
  "ERR ACL failure in script: User orders has no permissions to run the 'xdel' command script: d8e6, on @user_script:1.",
  'ERR ACL failure in script: No permissions to access a key script: on @user_script:1.', // Valkey 9
])('a right that the user lacks is known by the words of every engine: %s', (text) => {
  expect(isForbidden(reply(text))).toBe(true)
})

test('a refused command is known by the code of its reply', () => {
  const wrong = reply('WRONGTYPE Operation against a key holding the wrong kind of value')
  expect([isWrongType(wrong), isScriptFault(wrong), isAway(wrong)]).toEqual([true, true, false])
  expect(isScriptFault(reply('ORDERS counters applied is no integer that can grow'))).toBe(true)
  expect(isMissingStream(reply('NOGROUP No such consumer group'))).toBe(true)
  expect(isMissingStream(reply('ERR no such key'))).toBe(true)
  expect(hasReplyCode(reply('NOSCRIPT No matching script.'), 'NOSCRIPT')).toBe(true)
  expect(hasReplyCode(reply('NOSCRIPTS'), 'NOSCRIPT')).toBe(false)
})
