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

/** Asks as the kubelet does: on a connection of its own, and every status below 400 is a success. */
export function passes({ host, port }: Address, { httpGet, timeoutSeconds }: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutSeconds * 1_000)
    const request = get({ host, port, path: httpGet.path, agent: false, signal }, (response) => {
      response.resume()
      resolve((response.statusCode ?? 500) >= 200 && (response.statusCode ?? 500) < 400)
    })
    request.on('error', () => resolve(false))
  })
}

/** Probes once a period until the signal aborts, or `seen` returns false for the number of failures without a success between. */
export async function probing(
  address: Address,
  probe: Probe,
  signal: AbortSignal,
  seen: (failures: number) => boolean,
): Promise<void> {
  for (let failures = 0; !signal.aborted; await period(probe.periodSeconds, signal)) {
    failures = (await passes(address, probe)) ? 0 : failures + 1
    if (signal.aborted || !seen(failures)) return
  }
}
