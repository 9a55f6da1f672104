import type { Example, Examples } from './example.ts'
import { orderExamples } from './orders.ts'
import { systemExamples } from './system.ts'

const examples: Examples = { ...orderExamples, ...systemExamples }

export const exampleOf = ({ method, path }: { method: string; path: string }): Example | undefined =>
  examples[`${method} ${path}`]
