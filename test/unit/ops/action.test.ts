import { expect, test } from 'vitest'
import { actionOf } from '../../../src/ops/action.ts'

const undo = { name: 'undo', words: '[list | show <name>]' }

test.each<[string[], RegExp]>([
  [['lst'], /^orders undo: there is no "lst", did you mean list\? See orders undo --help\.$/],
  [['shwo', 'x'], /did you mean show\?/],
  [['show'], /^orders undo: expected list \| show <name>: see/],
  [['remove'], /^orders undo: expected list \| show <name>: see/],
])('%j is refused with the nearest word, if there is one', (words, message) => {
  expect(() => actionOf(undo, words)).toThrow(message)
})
