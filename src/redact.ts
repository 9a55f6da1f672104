/**
 * Returns a URL as it may be printed: without user, password, query and fragment. Where they stood is `***`. Of a text that
 * is no URL it keeps less rather than more: a password may stand anywhere before an @.
 */
export function redactUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  // A password with a slash, ? or # in it makes the beginning of it a port, and the rest a path, a query or a fragment.
  if (!url?.host || /@|%40/i.test(url.pathname + url.search + url.hash)) return redactText(given)
  const { protocol, username, password, host, pathname, search, hash } = url
  const user = username || password ? '***@' : ''
  const path = pathname === '/' && !/\/([?#]|$)/.test(given) ? '' : pathname // shown only where it was given
  return `${protocol}//${user}${host}${path}${search || hash ? '?***' : ''}`
}

function redactText(given: string): string {
  return given
    .replace(/^.*(@|%40)/is, '***@') // whatever stands before an @ may be a password
    .replace(/(:\/\/[^?#]*[?#]).*$/s, '$1***') // and so may what follows
    .replace(/^(\w+:\/+)(?::.*|([^/:[\]]+:)(?!\d*(?:[/,]|$)).*)$/s, '$1$2***') // and what is no port
}

/** Does the same to each URL in a text of others, such as the message of a library. */
export function redactUrls(text: string): string {
  return text.replaceAll(/\b[a-z][\w+.-]*:\/\/[^\s"'`<>]+/gi, (url) => (mayTell.test(url) ? redactUrl(url) : url))
}

/** Most URLs have nothing to hide, and stay as they are. */
const mayTell = /[@?#]|%40/i
