import { resumeComponent } from '../../../control/pauses.ts'
import { definePauseCommand } from '../../process/pause-command.ts'

export const command = definePauseCommand('resume', 'Resumes paused components.', resumeComponent)
