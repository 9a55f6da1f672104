import type { Request, RequestHandler, Response } from 'express'
import { ipKeyGenerator, rateLimit } from 'express-rate-limit'
import type { App } from '../../app.ts'
import { requestFields } from '../request-log.ts'
import { openAccess, type Right } from './access.ts'
import { needsBody, problemOf, sendProblem } from './problem.ts'

/** Lets requests through or refuses them, as access.ts decides. */
export interface Guard {
  /** Refuses requests that are addressed to another host. */
  readonly host: RequestHandler
  /** Refuses clients without the right, and keeps replies out of every cache. @param route as it is declared, for the log */
  for(right: Right, route: string): readonly RequestHandler[]
  /** Returns true if a request has a right without a token. It ignores tokens: checking them uncounted would allow guessing. */
  isOpen(request: Request, right: Right): boolean
}

/** Ten a minute: a person mistypes less often, and a script with the wrong token learns nothing from more. */
const guessesPerAddress = 10
/** The limit for all addresses together. A token of 16 characters resists far more; this limits noise and cost. */
const guessesInAll = 100
const minuteMs = 60_000

/**
 * Opens the guard. It counts wrong tokens only, so guesses of others never lock out a client with the right one. A guess
 * beyond the limits gets a 429 and a closed connection.
 */
export function openGuard(app: Pick<App, 'config' | 'telemetry' | 'trustsThisMachine'>): Guard {
  const access = openAccess(app)
  const deny = (request: Request, response: Response, status: number, detail: string): void => {
    sendProblem(response, problemOf(status, detail))
    const { route = '-' } = response.locals
    const address = request.socket.remoteAddress ?? ''
    app.telemetry.emit('denied', { ...requestFields(request, response, route), address })
  }
  const limitOf = (limit: number, keyGenerator: (request: Request) => string): RequestHandler =>
    rateLimit({
      windowMs: minuteMs,
      limit,
      keyGenerator,
      legacyHeaders: false,
      validate: false, // it warns about forwarding headers, which are ignored here
      handler: (request, response) => {
        response.set({ connection: 'close', 'retry-after': String(minuteMs / 1_000) })
        deny(request, response, 429, 'Too many wrong tokens: try again in a minute.')
      },
    })
  const ofAddress = limitOf(guessesPerAddress, ({ socket }) => ipKeyGenerator(socket.remoteAddress ?? ''))
  const ofAll = limitOf(guessesInAll, () => 'all')

  const check =
    (right: Right, route: string): RequestHandler =>
    (request, response, next) => {
      response.locals['route'] = route
      const refusal = access.refusalOf(request, right)
      if (!refusal) return next()
      const refuse = (): void => {
        if (refusal.status === 401) response.set('WWW-Authenticate', refusal.isChallenge ? challenge : bearer)
        deny(request, response, refusal.status, refusal.detail)
      }
      if (!refusal.isGuess) return refuse()
      ofAddress(request, response, () => ofAll(request, response, refuse))
    }
  return {
    host: (request, response, next) => {
      const refusal = access.refusalOfHost(request)
      if (refusal) return deny(request, response, refusal.status, refusal.detail)
      next()
    },
    for: (right, route) => (right === 'numbers' ? [] : [notStored, check(right, route)]),
    isOpen: access.isOpen,
  }
}

/** At `Basic` a browser asks for a user and a password. */
const challenge = 'Basic realm="orders", charset="UTF-8"'
const bearer = 'Bearer realm="orders"'

const notStored: RequestHandler = (_request, response, next) => {
  response.set('cache-control', 'no-store')
  next()
}

/** Requires JSON. A form of another site cannot send that content type (CSRF). */
export const jsonOnly: RequestHandler = (request, response, next) => {
  const type = request.is('application/json')
  if (type) return next()
  if (type === null) return sendProblem(response, problemOf(400, needsBody))
  sendProblem(response, problemOf(415, 'The content-type must be application/json.'))
}

/** Lets a write pass that needs no body. A type that a form of another site can send is refused all the same. */
export const noOtherThanJson: RequestHandler = (request, response, next) => {
  const type = request.get('content-type')
  if (type === undefined || /^application\/json\b/i.test(type)) return next()
  sendProblem(response, problemOf(415, 'The content-type must be application/json.'))
}
