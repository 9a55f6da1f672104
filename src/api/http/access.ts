import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { Request } from 'express'
import type { App } from '../../app.ts'
import { type Problem, problemOf } from './problem.ts'

/**
 * The right that a request needs: `numbers` (aggregates, boards, health, metrics, documentation), `orders` (whole orders and the
 * names of operators), or `admin` (everything that writes, and the admin pages).
 */
export type Right = 'numbers' | 'orders' | 'admin'

/** Answers "may this request do that?" for every request of the API. */
export interface Access {
  /** Returns why a request is denied a right; undefined if it has it. */
  refusalOf(request: Request, right: Right): Refusal | undefined
  /** Returns whether a request has a right without a token. */
  isOpen(request: Request, right: Right): boolean
  /** Returns why a request is not for this server; undefined if its Host names this server. */
  refusalOfHost(request: Request): Refusal | undefined
}

export interface Refusal extends Problem {
  /** True if a wrong token was sent. */
  readonly isGuess: boolean
  /** True if the client must be asked for a token. */
  readonly isChallenge: boolean
}

export function openAccess({ config, trustsThisMachine = false }: Pick<App, 'config' | 'trustsThisMachine'>): Access {
  const { adminTokens, apiHost, apiPublic, apiAllowedHosts = [] } = config
  const isToken = sameAsOneOf(adminTokens ?? [])
  const hosts = [...apiAllowedHosts, apiHost]
  const listensHereOnly = isLoopbackName(apiHost)

  function refusalOf(request: Request, right: Right): Refusal | undefined {
    if (right === 'admin' && isForeignWrite(request)) return refusal(403, 'Another site may not write here.')
    const sent = sentToken(request)
    if (sent !== undefined && isToken(sent)) return undefined
    const refused = refusalWithoutToken(request, right)
    return refused?.isChallenge && sent !== undefined ? { ...refused, detail: wrongToken, isGuess: true } : refused
  }

  function refusalWithoutToken(request: Request, right: Right): Refusal | undefined {
    const proxied = isForwarded(request)
    if (right === 'numbers') return undefined
    if (right === 'orders' && (apiPublic || (listensHereOnly && !proxied))) return undefined
    if (adminTokens !== undefined) return { ...refusal(401, needsToken), isChallenge: true }
    if (!trustsThisMachine) return refusal(401, right === 'orders' ? noTokenToRead : noToken)
    if (!isLoopbackName(request.socket.remoteAddress ?? ''))
      return refusal(403, `Only this machine may do this: ${set}`)
    if (proxied) return refusal(403, `This request came through a proxy: ${set}`)
    if (!isLoopbackName(hostOf(request))) return refusal(403, `The Host header must be localhost: ${set}`)
    return undefined
  }

  return {
    refusalOf,
    isOpen: (request, right) => refusalWithoutToken(request, right) === undefined,
    refusalOfHost: (request) => {
      const host = hostOf(request)
      if (isOwnHost(host, hosts)) return undefined
      return refusal(403, `The Host header names "${host}": add the name to API_ALLOWED_HOSTS if it is this server's.`)
    },
  }
}

const set = 'set ADMIN_TOKEN to open it to others.'
const needsToken = 'A token is needed: Authorization: Bearer <ADMIN_TOKEN>, or Basic with any user name.'
const wrongToken =
  'The token is not the ADMIN_TOKEN of this API: send the right one as Authorization: Bearer <ADMIN_TOKEN>.'
const noToken = 'No ADMIN_TOKEN is set, so this is disabled: set one of 16 characters or more, and restart the API.'
const noTokenToRead =
  'Whole orders are shown to clients with the ADMIN_TOKEN, and none is set: set one of 16 characters or more, or API_PUBLIC=true if the network is protected.'

const refusal = (status: number, detail: string): Refusal => ({
  ...problemOf(status, detail),
  isGuess: false,
  isChallenge: false,
})

/**
 * Returns whether a browser writes here on behalf of another site (CSRF): it would send its stored password, too. It names that
 * site, and says whether it is the page's own, which only the browser knows if a proxy changes Host.
 */
function isForeignWrite(request: Request): boolean {
  const origin = request.get('origin')
  if (origin === undefined || request.method === 'GET' || request.method === 'HEAD') return false
  if (request.get('sec-fetch-site') === 'same-origin') return false
  return !(URL.canParse(origin) && new URL(origin).host === request.get('host'))
}

/** Headers in which proxies and content networks name their client. */
const forwarding =
  /^(forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip)$/

const isForwarded = ({ headers }: Request): boolean => Object.keys(headers).some((name) => forwarding.test(name))

/**
 * Against DNS rebinding: a page that makes a name of its own lead here sends that name. It cannot send an address, and a
 * client that sends no name (HTTP/1.0 health checks) is no browser.
 */
function isOwnHost(host: string, allowed: readonly string[]): boolean {
  if (host === '' || isLoopbackName(host) || isIP(host) !== 0) return true
  const name = host.toLowerCase()
  return allowed.some((own) => own === '*' || own === name || (own.startsWith('.') && name.endsWith(own)))
}

/** Returns undefined if no token is sent. */
function sentToken(request: Request): string | undefined {
  const authorization = request.get('authorization')
  if (authorization === undefined) return undefined
  const [scheme = '', credentials = ''] = authorization.split(' ')
  if (scheme.toLowerCase() === 'bearer') return credentials
  return basicLogin(authorization).password
}

const nameless = 'unknown'

/** Returns the operator's name: X-Operator, or the user name of a browser's login. It is not verified: all share one token. */
export function operatorOf(header: (name: string) => string | undefined): string {
  return textOf(header('x-operator') ?? '').trim() || basicLogin(header('authorization') ?? '').user || nameless
}

/** Returns why a request that changes something is refused for its name: an empty header is a variable that is not set. */
export function refusalOfName(header: (name: string) => string | undefined): Problem | undefined {
  if (header('x-operator')?.trim() !== '' || operatorOf(header) !== nameless) return undefined
  return problemOf(400, 'The header X-Operator is empty: put the name of the operator there, or leave it out.')
}

/** Returns a sentence for the reply to a request without a name. */
export const namelessNote = (header: (name: string) => string | undefined): string =>
  operatorOf(header) === nameless ? ' No name came with the request: send one in the header X-Operator.' : ''

/** Decodes a header as UTF-8 if it is valid; Node reads its bytes as latin1. */
function textOf(header: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'))
  } catch {
    return header
  }
}

function basicLogin(authorization: string): { user: string; password: string } {
  const [scheme = '', credentials = ''] = authorization.split(' ')
  if (scheme.toLowerCase() !== 'basic') return { user: '', password: '' }
  const [user = '', ...password] = Buffer.from(credentials, 'base64').toString().split(':')
  return { user, password: password.join(':') }
}

/** Compares hashes in constant time, with every token: neither length nor content of a token shows, nor which it was. */
function sameAsOneOf(tokens: readonly string[]): (given: string) => boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const wanted = tokens.map(digest)
  return (given) => {
    const sent = digest(given)
    return wanted.map((one) => timingSafeEqual(sent, one)).includes(true)
  }
}

function hostOf(request: Request): string {
  return (request.get('host') ?? '').replace(/:\d*$/, '').replace(/^\[|\]$/g, '')
}

export function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(name)
}
