// @ts-check
/** The API sends an event each second. After this long without one, it counts as away. */
const silentMs = 5_000
/** After this long the page reconnects: the connection may be open on this side only. */
const deadMs = 15_000
const reconnectMs = 1_000

const noApi = 'The API does not answer'

/**
 * Follows the pipeline for as long as the page is open. Disconnects while the tab is hidden: a browser has only six
 * connections for all the tabs of a site.
 * @param {object} listeners
 * @param {(snapshot: import('../live/snapshot.ts').Snapshot) => void} listeners.onSnapshot
 * @param {(why: string, since?: string) => void} listeners.onAway called again and again while there is no snapshot; `since`
 *   when the API noticed it
 */
export function follow({ onSnapshot, onAway }) {
  /** @type {EventSource | undefined} */
  let source
  let heardAt = 0
  let openedAt = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let reconnecting

  function open() {
    close()
    openedAt = performance.now()
    source = new EventSource('live')
    source.addEventListener('snapshot', ({ data }) => {
      heardAt = performance.now()
      onSnapshot(JSON.parse(data))
    })
    source.addEventListener('away', ({ data }) => {
      heardAt = performance.now()
      const { detail, since } = JSON.parse(data)
      onAway(detail.replace(/(:.*|\.)$/, ''), since)
    })
    source.addEventListener('error', () => {
      onAway(noApi)
      // The browser reconnects by itself, except after a reply that is not a stream, such as a proxy's error or "too many viewers".
      if (source?.readyState === EventSource.CLOSED) reconnecting = setTimeout(open, reconnectMs)
    })
  }

  function close() {
    clearTimeout(reconnecting)
    source?.close()
    source = undefined
  }

  function checkSilence() {
    if (!source) return
    const silence = performance.now() - Math.max(heardAt, openedAt)
    if (silence > silentMs) onAway(noApi)
    if (silence > deadMs) open()
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close()
    else open()
  })
  setInterval(checkSilence, 1_000)
  if (!document.hidden) open()
}
