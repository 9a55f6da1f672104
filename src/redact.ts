/**
 * Returns a URL that is safe to print: user, password, query and fragment become `***`. Of a text that is not a URL it keeps
 * less rather than more: a password may be anywhere before an @.
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
    .replace(/^.*(@|%40)/is, '***@') // anything before an @ may be a password
    .replace(/(:\/\/[^?#]*[?#]).*$/s, '$1***') // and so may what follows
    .replace(/^(\w+:\/+)(?::.*|([^/:[\]]+:)(?!\d*(?:[/,]|$)).*)$/s, '$1$2***') // and what is no port
}

/** Redacts each URL in a foreign text, such as an error message of a library. */
export function redactUrls(text: string): string {
  return text.replaceAll(/\b[a-z][\w+.-]*:\/\/[^\s"'`<>]+/gi, (url) => (mayHoldSecret.test(url) ? redactUrl(url) : url))
}

/** Most URLs have nothing to hide, and stay as they are. */
const mayHoldSecret = /[@?#]|%40/i
