/** A setup file of Vitest that gives tests the list of stages that we ship, whatever list src/stages/pipeline.ts has. */
import { vi } from 'vitest'

vi.doMock('../../src/stages/pipeline.ts', () => import('./shipped-pipeline.ts'))
