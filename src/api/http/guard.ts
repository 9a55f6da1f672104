import type { Request, RequestHandler, Response } from 'express'
import { ipKeyGenerator, rateLimit } from 'express-rate-limit'
import type { App } from '../../app.ts'
import { openAccess, type Right } from './access.ts'
import { needsBody, problemOf, sendProblem } from './problem.ts'

/** Lets requests through or turns them away, as access.ts decides. */
export interface Guard {
  /** Turns away what is addressed to another host. */
  readonly host: RequestHandler
  /** Turns away who has no right to it; keeps what it shows out of every cache. */
  for(right: Right): readonly RequestHandler[]
  /** Whether a request has a right without a token: where tokens were looked at uncounted, one could be guessed. */
  isOpen(request: Request, right: Right): boolean
}

/** A person mistypes less often, and a script that has the wrong token needs no more to learn it. */
const guessesPerAddress = 10
/** Of all addresses together. A token of 16 characters stands against far more, so this is about noise and cost. */
const guessesInAll = 100
const minuteMs = 60_000

/**
 * Wrong tokens are counted, right ones never: others' guesses shut nobody out. A guess beyond the limits is told no more than
 * that there were too many, and has to connect again for the next one.
 */
export function openGuard(app: Pick<App, 'config' | 'telemetry' | 'trustsThisMachine'>): Guard {
  const access = openAccess(app)
  const deny = (request: Request, response: Response, status: number, detail: string): void => {
    app.telemetry.emit('denied', { route: request.path, status, address: request.socket.remoteAddress ?? '' })
    sendProblem(response, problemOf(status, detail))
  }
  const limitOf = (limit: number, keyGenerator: (request: Request) => string): RequestHandler =>
    rateLimit({
      windowMs: minuteMs,
      limit,
      keyGenerator,
      legacyHeaders: false,
      validate: false, // it warns of forwarding headers, which are not looked at here
      handler: (request, response) => {
        response.set({ connection: 'close', 'retry-after': String(minuteMs / 1_000) })
        deny(request, response, 429, 'Too many wrong tokens: try again in a minute.')
      },
    })
  const ofAddress = limitOf(guessesPerAddress, ({ socket }) => ipKeyGenerator(socket.remoteAddress ?? ''))
  const ofAll = limitOf(guessesInAll, () => 'all')

  const check =
    (right: Right): RequestHandler =>
    (request, response, next) => {
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
    for: (right) => (right === 'numbers' ? [] : [notStored, check(right)]),
    isOpen: access.isOpen,
  }
}

/** A browser asks for a user and a password at `Basic`, where one would help. */
const challenge = 'Basic realm="orders", charset="UTF-8"'
const bearer = 'Bearer realm="orders"'

const notStored: RequestHandler = (_request, response, next) => {
  response.set('cache-control', 'no-store')
  next()
}

/** A write says that it is JSON: a form of another site cannot (CSRF). */
export const jsonOnly: RequestHandler = (request, response, next) => {
  const type = request.is('application/json')
  if (type) return next()
  if (type === null) return sendProblem(response, problemOf(400, needsBody))
  sendProblem(response, problemOf(415, 'The content-type must be application/json.'))
}
