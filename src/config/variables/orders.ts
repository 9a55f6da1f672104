import { z } from 'zod'
import { define, withDefault } from '../variable.ts'

export const ordersVariables = {
  valueTolerance: define({
    name: 'VALUE_TOLERANCE',
    unit: '%',
    about: 'How far `order_value` and the total of the items may differ, in percent of the larger of the two.',
    expected: 'a percentage from 0 to 100, such as 0.5',
    schema: withDefault(
      z
        .string()
        .regex(/^\d{1,3}(?:\.\d{1,4})?%?$/)
        .transform((given) => Number.parseFloat(given))
        .pipe(z.number().max(100)),
      1,
    ),
  }),
}
