import { admittedOrder } from '../../messages.ts'
import { defineObserver } from '../stage.ts'

/**
 * Keeps every admitted order and correction in the archive. It changes no key by a record: its runner writes segments
 * (see run.ts), so there is nothing to decide.
 */
export const archive = defineObserver({
  name: 'archive',
  takes: admittedOrder,
  needs: ['body', 'layers', 'message_id'],
  counts: 'archived',
  decide: () => [],
})
