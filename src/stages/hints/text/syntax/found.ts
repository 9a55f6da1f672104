import { visible } from '../../quote.ts'
import type { Fault } from '../fault.ts'

/** A fault with the words that its sentences share. */
export interface Found extends Fault {
  readonly body: string
  /** "at character 12" */
  readonly where: string
  /** " in `discount`", or nothing. */
  readonly of: string
}

export const ofKey = ({ key, expected }: Fault): string =>
  key === '' || expected === 'name' ? '' : ` in \`${visible(key)}\``
