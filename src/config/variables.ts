import { apiVariables } from './variables/api.ts'
import { archiveVariables } from './variables/archive.ts'
import { awsVariables } from './variables/aws.ts'
import { bridgeVariables } from './variables/bridge.ts'
import { calendarVariables } from './variables/calendar.ts'
import { ordersVariables } from './variables/orders.ts'
import { processVariables } from './variables/process.ts'
import { redisVariables } from './variables/redis.ts'
import { stagesVariables } from './variables/stages.ts'

/** Every environment variable, in the order of the documentation. Each is declared once, in the file of its topic. */
export const variables = {
  ...awsVariables,
  ...redisVariables,
  ...apiVariables,
  ...bridgeVariables,
  ...ordersVariables,
  ...calendarVariables,
  ...archiveVariables,
  ...stagesVariables,
  ...processVariables,
}
