import { test } from 'vitest'
import { expectGreen } from './green.ts'

test('the suites are green on the newest Redis', (context) => expectGreen(context, 'redis', 8))
