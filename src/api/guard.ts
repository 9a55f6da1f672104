import { createHash, timingSafeEqual } from 'node:crypto'
import express, { type Request, type RequestHandler, type Response } from 'express'
import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import { problemOf, sendProblem } from './problem.ts'

/** Wrong tokens an address may try a minute; a person mistypes less, a guesser gets nowhere. */
const wrongTokensAMinute = 10

/**
 * Lets through who may write and see the admin part: with ADMIN_TOKEN set, who sends it (Bearer, or Basic with any user
 * name); without, only this machine, by a name of its own (against DNS rebinding).
 * @throws OrdersError ORD_CONFIG when the API would be open to others without a token.
 */
export function openGuard(app: App): RequestHandler {
  const { adminToken, apiHost } = app.config
  const denied: Deny = (request, response, status, detail) => {
    app.telemetry.emit('denied', { route: request.path, status, address: request.ip ?? '' })
    sendProblem(response, problemOf(status, detail))
  }
  const sameSite: RequestHandler = (request, response, next) => {
    if (isOwnWrite(request)) return next()
    denied(request, response, 403, 'Another site may not write here.')
  }
  return express
    .Router()
    .use(sameSite, adminToken === undefined ? localGuard(apiHost, denied) : tokenGuard(adminToken, denied))
}

/**
 * A browser sends what it knows of us, a password too, for any site that asks it to write here (CSRF); it names the site, and
 * says whether it is the page's own. It alone knows where a proxy puts another name in Host.
 */
function isOwnWrite(request: Request): boolean {
  const origin = request.get('origin')
  if (origin === undefined || request.method === 'GET' || request.method === 'HEAD') return true
  if (request.get('sec-fetch-site') === 'same-origin') return true
  return URL.canParse(origin) && new URL(origin).host === request.get('host')
}

function localGuard(apiHost: string, denied: Deny): RequestHandler {
  if (!isLoopbackName(apiHost)) {
    const told = `API_HOST is "${apiHost}" and ADMIN_TOKEN is not set: set a token, or listen on 127.0.0.1.`
    throw new OrdersError('ORD_CONFIG', told)
  }
  return (request, response, next) => {
    if (!isLoopbackName(request.socket.remoteAddress ?? '')) {
      return denied(request, response, 403, 'Only this machine may do this: set ADMIN_TOKEN to open it to others.')
    }
    if (Object.keys(request.headers).some((name) => name === 'forwarded' || name.startsWith('x-forwarded-'))) {
      return denied(request, response, 403, 'A proxy may not speak for others: set ADMIN_TOKEN to open it to them.')
    }
    if (!isLoopbackName(hostOf(request))) {
      return denied(request, response, 403, 'The Host header must be localhost: set ADMIN_TOKEN to use another name.')
    }
    next()
  }
}

/** A write says that it is JSON: a form of another site cannot (CSRF). */
export const jsonOnly: RequestHandler = (request, response, next) => {
  if (request.is('application/json')) return next()
  sendProblem(response, problemOf(415, 'The content-type must be application/json.'))
}

type Deny = (request: Request, response: Response, status: number, detail: string) => void

/**
 * Counted before anything is awaited: of a thousand tokens sent at once, ten are looked at. An address that has used its
 * tries up is refused the right token too, else a guesser need not mind.
 */
function tokenGuard(token: string, deny: Deny): RequestHandler {
  const isToken = sameAs(token)
  const wrong = wrongTokens()
  return (request, response, next) => {
    const address = request.ip ?? ''
    const sent = sentToken(request)
    if (sent !== undefined && wrong.count(address) >= wrongTokensAMinute) {
      return deny(request, response, 429, 'Too many wrong tokens: try again in a minute.')
    }
    if (sent !== undefined && isToken(sent)) return next()
    if (sent !== undefined) wrong.add(address)
    response.set('WWW-Authenticate', 'Basic realm="orders", charset="UTF-8"')
    deny(request, response, 401, 'A token is needed: Authorization: Bearer <ADMIN_TOKEN>, or Basic with any user name.')
  }
}

/** Wrong tokens by address in the current minute. */
function wrongTokens() {
  const minuteMs = 60_000
  let counts = new Map<string, number>()
  let since = performance.now()
  const current = (): Map<string, number> => {
    if (performance.now() - since > minuteMs) {
      counts = new Map()
      since = performance.now()
    }
    return counts
  }
  return {
    count: (address: string): number => current().get(address) ?? 0,
    add: (address: string): void => void current().set(address, (counts.get(address) ?? 0) + 1),
  }
}

/** Who says to write: X-Operator, or the user name of a browser's login. It is taken at its word: the token is one for all. */
export function operatorOf(header: (name: string) => string | undefined): string {
  return textOf(header('x-operator') ?? '') || basicLogin(header('authorization') ?? '').user || 'unknown'
}

/** Node reads the bytes of a header as latin1; what is UTF-8 was meant to be that. */
function textOf(header: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'))
  } catch {
    return header
  }
}

/** Undefined where nobody tries to log in. */
function sentToken(request: Request): string | undefined {
  const authorization = request.get('authorization')
  if (authorization === undefined) return undefined
  const [scheme = '', credentials = ''] = authorization.split(' ')
  if (scheme.toLowerCase() === 'bearer') return credentials
  return basicLogin(authorization).password
}

function basicLogin(authorization: string): { user: string; password: string } {
  const [scheme = '', credentials = ''] = authorization.split(' ')
  if (scheme.toLowerCase() !== 'basic') return { user: '', password: '' }
  const [user = '', ...password] = Buffer.from(credentials, 'base64').toString().split(':')
  return { user, password: password.join(':') }
}

/** Compares hashes in constant time: neither length nor content of the token shows. */
function sameAs(token: string): (given: string) => boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const wanted = digest(token)
  return (given) => timingSafeEqual(digest(given), wanted)
}

function hostOf(request: Request): string {
  return (request.get('host') ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(name)
}
