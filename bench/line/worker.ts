/* Runs a contender in its own process. Messages say what to run, and it replies with the result of a round. */
import { Redis } from 'ioredis'
import { cpuMeter, type Round } from '../harness.ts'
import { benchOrders } from '../orders.ts'
import { startProfile } from '../profile.ts'
import { serve } from '../worker.ts'
import { open as archived } from './archived.ts'
import { open as bullmq } from './bullmq.ts'
import type { OpenContender } from './contender.ts'
import { openPipeline, openScript } from './floor.ts'
import { open as moleculer } from './moleculer.ts'
import { open as ours } from './ours.ts'
import { open as traced } from './traced.ts'
import { open as tutorial } from './tutorial.ts'

export interface Task {
  readonly contender: string
  readonly level: number
  readonly url: string
  readonly redisPid: number
  readonly orders: number
  /** Another seed gives other orders. */
  readonly seed?: number
  /** Writes a CPU profile of this name, of the measured work only. */
  readonly profile?: string
  /** Makes every n-th order invalid; by default none. */
  readonly spoilEvery?: number
}

const contenders: Readonly<Record<string, OpenContender>> = {
  ours,
  traced,
  archived,
  bullmq,
  moleculer,
  tutorial,
  'floor-pipeline': openPipeline,
  'floor-script': openScript,
}

async function round({ contender, level, url, redisPid, orders: count, profile, ...which }: Task): Promise<Round> {
  const open = contenders[contender]
  if (!open) throw new Error(`bench: no contender ${contender}`)
  const orders = benchOrders(count, which)
  const { fill, work, close } = await open({ url, orders, level })
  const empty = await usedMemory(url)
  await fill()
  const filledBytes = (await usedMemory(url)) - empty
  globalThis.gc?.()
  let started = 0
  let meter = (): Record<string, number> => ({})
  const stopProfile = await startProfile(profile)
  await work(() => {
    meter = cpuMeter({ redis: redisPid, node: process.pid })
    started = performance.now()
  })
  const ms = performance.now() - started
  const used = meter()
  await stopProfile()
  await close()
  return { count, ms, cpuMs: used, filledBytes }
}

async function usedMemory(url: string): Promise<number> {
  const redis = new Redis(url)
  const memory = await redis.info('memory')
  redis.disconnect()
  return Number(/used_memory:(\d+)/.exec(memory)?.[1])
}

serve(round)
