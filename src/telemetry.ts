import diagnostics from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import { messageOf } from './errors.ts'
import type { Events } from './events/fields.ts'
import { eventTable } from './events/table.ts'

type Listener = <E extends keyof Events>(event: E, fields: Events[E]) => void

export interface Telemetry {
  emit: Listener
  /** Listens to one event. */
  on<E extends keyof Events>(event: E, listener: (fields: Events[E]) => void): void
  /** Listens to every event. */
  listen(listener: Listener): void
  /** Returns the number of log lines that could not be written so far. There is no event for it: its line would be lost, too. */
  droppedLines(): number
}

const every = Symbol('every event')

/** Publishes every event of this process as `{ event, fields }`, for observers from outside the code. */
const channel = diagnostics.channel('order-pipeline:event')

/** @param log receives the events; without it they are only emitted */
export function openTelemetry(log?: Logger, droppedLines = () => 0): Telemetry {
  const emitter = new EventEmitter().setMaxListeners(0) // there is one for every metric
  const failed = new Set<string>()
  const emit: Listener = (event, fields) => {
    const [level] = eventTable[event]
    if (log?.isLevelEnabled(level)) log[level](fields as object, event as string)
    emitter.emit(event, fields)
    emitter.emit(every, event, fields)
    if (channel.hasSubscribers) channel.publish({ event, fields })
  }
  /** Runs a listener. One that fails must not break the work that it observes. */
  const safely = (event: keyof Events, call: () => void): void => {
    try {
      call()
    } catch (error) {
      if (failed.has(event)) return
      failed.add(event)
      emit('listenerFailed', { listensTo: event, error: messageOf(error) })
    }
  }
  return {
    emit,
    on: (event, listener) => {
      emitter.on(event, (fields) => safely(event, () => listener(fields)))
    },
    listen: (listener) => {
      emitter.on(every, (event, fields) => safely(event, () => listener(event, fields)))
    },
    droppedLines,
  }
}

/** Returns telemetry that adds fields to each event that does not have them itself. */
export function withFields({ emit, ...telemetry }: Telemetry, more: object): Telemetry {
  return { ...telemetry, emit: (event, fields) => emit(event, { ...more, ...fields }) }
}
