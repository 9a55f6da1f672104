import { pauseComponent } from '../../../control/pauses.ts'
import { definePauseCommand } from '../../process/pause-command.ts'

export const command = definePauseCommand(
  'pause',
  'Pauses components in every process until they are resumed, across restarts. Work in flight is finished first.',
  pauseComponent,
)
