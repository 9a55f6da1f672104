import { explainFailure } from '../../redis/errors.ts'
import { type Problem, problemOf } from './problem.ts'

/** Maps an error to the problem that a request replies with. */
export function failure(error: unknown): Problem {
  const { text, passes } = explainFailure(error) ?? {
    text: 'Internal server error. See the server log.',
    passes: false,
  }
  return problemOf(passes ? 503 : 500, text)
}
