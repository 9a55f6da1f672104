import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Probe } from './manifests.ts'

/** Divides the periods of the manifests, so that a rollout of every role takes seconds. Thresholds and time limits stay. */
export const speedUp = 5

/** Waits for so many seconds of a manifest, or until the signal aborts. */
export const period = (seconds: number, signal?: AbortSignal): Promise<void> =>
  sleep((seconds * 1_000) / speedUp, undefined, { signal }).catch(() => {})

/** A port of a container, by its address: what the node asks, and what it puts into Host. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Asks as the kubelet does: on a connection of its own. Returns why it is a failure; undefined for a status below 400. */
export function failureOf({ host, port }: Address, { httpGet, timeoutSeconds }: Probe): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const signal = AbortSignal.timeout(timeoutSeconds * 1_000)
  const request = get({ host, port, path: httpGet.path, agent: false, signal }, async (response) => {
    const body = await response.toArray().then(String, String)
    resolve((response.statusCode ?? 500) < 400 ? undefined : `${httpGet.path}: ${response.statusCode} ${body}`)
  })
  request.on('error', (error) => resolve(`${httpGet.path}: ${error}`))
  return promise
}

/** Probes once a period until the signal aborts, or until `seen` returns false for the failures since the last success. */
export async function probing(
  address: Address,
  probe: Probe,
  signal: AbortSignal,
  seen: (failures: readonly string[]) => boolean,
): Promise<void> {
  for (let failures: string[] = []; !signal.aborted; await period(probe.periodSeconds, signal)) {
    const failure = await failureOf(address, probe)
    failures = failure === undefined ? [] : [...failures, failure]
    if (signal.aborted || !seen(failures)) return
  }
}
