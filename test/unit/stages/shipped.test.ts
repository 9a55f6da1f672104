import { expect, test } from 'vitest'
import { shippedText } from '../../support/shipped-text.ts'
import { whole } from '../../support/stages.ts'

test('the shipped list, by which a clone with stages of its own is seen, names the stages that tests run', () => {
  const names = whole.stages.map(({ name }) => name)
  expect(shippedText).toBe(`export const pipeline = definePipeline([${names.join(', ')}])`)
})
