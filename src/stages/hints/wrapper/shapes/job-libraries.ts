import { isObject } from '../../../../order/json.ts'
import { has, member } from '../../reading.ts'
import { namesOf, type Shape } from './shape.ts'

/** Wrappers of libraries for jobs and messages. */
export const jobShapes: readonly Shape[] = [
  {
    what: 'a Celery message',
    is: (value) =>
      has(member(value, 'headers'), 'task') ||
      has(member(value, 'properties'), 'body_encoding') ||
      has(value, 'task', 'args', 'kwargs'),
    advice: 'send the order itself to this queue, not a Celery task',
  },
  {
    what: 'the body of a Celery message ([args, kwargs, embed])',
    is: (value) =>
      Array.isArray(value) &&
      value.length === 3 &&
      Array.isArray(value[0]) &&
      isObject(value[1]) &&
      has(value[2], 'callbacks'),
    advice: 'send the order itself to this queue, not a Celery task',
  },
  {
    what: 'a Dramatiq message',
    is: (value) => has(value, 'actor_name', 'args'),
    advice: 'send the order itself to this queue, not a task',
  },
  { what: 'a Zappa task', is: (value) => has(value, 'task_path') },
  {
    what: 'a Laravel job',
    is: (value) => (has(value, 'job') && has(value, 'data')) || has(member(value, 'data'), 'commandName'),
    advice: 'send the order itself as JSON, not a queued job',
  },
  {
    what: 'an ActiveJob job',
    is: (value) => has(value, 'job_class'),
    advice: 'send the order itself as JSON, not a job',
  },
  {
    what: 'a Sidekiq or Shoryuken job',
    is: (value) => has(value, 'class', 'args'),
    advice: 'send the order itself as JSON, not a job',
  },
  {
    what: 'a BullMQ job',
    is: (value) => has(value, 'name', 'data', 'opts'),
    advice: 'send the data of the job as the body',
  },
  {
    what: 'a Symfony Messenger message',
    is: (value) =>
      has(value, 'body', 'headers') &&
      (has(member(value, 'headers'), 'type') || /X-Message-Stamp/.test(namesOf(member(value, 'headers')))),
    advice: 'send the order itself as JSON, not an envelope of Messenger',
  },
  {
    what: 'a MassTransit message',
    is: (value) => has(value, 'messageType', 'message'),
    advice: 'use the raw JSON serializer, or send the order itself',
  },
  {
    what: 'an NServiceBus message',
    is: (value) => /NServiceBus\./.test(namesOf(member(value, 'Headers'))),
    advice: 'send the order itself as JSON, not an envelope',
  },
  { what: 'a Rebus message', is: (value) => /(?:^|,)rbs2-/.test(namesOf(member(value, 'headers'))) },
  {
    what: 'a Spring Cloud Stream message',
    is: (value) => has(value, 'payload', 'headers'),
    advice: 'send its payload as the body',
  },
]
