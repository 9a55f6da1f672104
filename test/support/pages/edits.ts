import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { blocksOf } from './blocks.ts'

/**
 * Does in a checkout what a page shows: a `ts` block with a path is a new file, a `diff` block with a path changes one. `@@`
 * divides a diff into places; each must be there once.
 * @returns the changed paths
 */
export function applyPage(page: string, checkout: string): string[] {
  return blocksOf(page).flatMap(({ at, language, info, text }) => {
    if (info === '' || !['ts', 'diff'].includes(language)) return []
    const file = join(checkout, info)
    if (language === 'ts') writeFileSync(file, text, { flag: 'wx' })
    else writeFileSync(file, changed(at, readFileSync(file, 'utf8'), text))
    return [info]
  })
}

function changed(at: string, before: string, diff: string): string {
  return diff.split(/^@@.*\n/m).reduce((text, place) => {
    const lines = place.split(/(?<=\n)/)
    const side = (sign: string): string =>
      lines
        .filter((line) => line[0] === sign || line[0] === ' ')
        .map((line) => line.slice(1))
        .join('')
    const found = text.split(side('-'))
    if (found.length !== 2) throw new Error(`${at}: this place is there ${found.length - 1} times:\n${place}`)
    return found.join(side('+'))
  }, before)
}
