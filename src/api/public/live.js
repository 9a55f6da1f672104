/** The API sends something each second; after so long without it, nobody is there. */
const silentMs = 5_000
/** After so long the connection is made anew: it may be open on our side alone. */
const deadMs = 15_000
const reconnectMs = 1_000

const noApi = 'The API does not answer'

/**
 * Follows the line, for ever. `onSnapshot` gets each snapshot, `onAway` why there is none, again and again while it lasts.
 * A tab that nobody sees is not connected: a browser has only six connections for all the tabs of a site.
 */
export function follow({ onSnapshot, onAway }) {
  let source
  let heardAt = 0
  let openedAt = 0
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
      onAway(JSON.parse(data).detail.replace(/(:.*|\.)$/, ''))
    })
    source.addEventListener('error', () => {
      onAway(noApi)
      // It comes again by itself, but not after an answer that was no stream: a proxy's, or that there are too many viewers.
      if (source?.readyState === EventSource.CLOSED) reconnecting = setTimeout(open, reconnectMs)
    })
  }

  function close() {
    clearTimeout(reconnecting)
    source?.close()
    source = undefined
  }

  function look() {
    if (!source) return
    const silence = performance.now() - Math.max(heardAt, openedAt)
    if (silence > silentMs) onAway(noApi)
    if (silence > deadMs) open()
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close()
    else open()
  })
  setInterval(look, 1_000)
  if (!document.hidden) open()
}
