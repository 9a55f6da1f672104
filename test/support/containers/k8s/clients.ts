import { setTimeout as sleep } from 'node:timers/promises'

/** A client that asks the API again and again. */
export interface Client extends AsyncDisposable {
  readonly replies: number
  readonly failures: readonly string[]
}

/** Asks until it is disposed, on a connection that it keeps, as clients do. */
export function openClient(url: string): Client {
  const client = { replies: 0, failures: [] as string[] }
  let isOver = false
  const run = async (): Promise<void> => {
    while (!isOver) {
      const response = await fetch(`${url}/stats/global`).catch(String)
      if (typeof response === 'string') client.failures.push(response)
      else if (!response.ok) client.failures.push(`${response.status} ${await response.text()}`)
      else await response.json()
      client.replies++
      await sleep(20)
    }
  }
  const running = run()
  const close = async (): Promise<void> => {
    isOver = true
    await running
  }
  return Object.assign(client, { [Symbol.asyncDispose]: close })
}
