import { test } from 'vitest'
import { expectGreen } from './green.ts'

test('the suites are green on the newest Valkey', (context) => expectGreen(context, 'valkey', 11))
