import { z } from 'zod'
import { currencyOf } from '../../order/currency.ts'
import type { FieldMap } from '../../order/field-map.ts'
import { readFieldMap } from '../../order/read-field-map.ts'
import { define, text, withDefault } from '../variable.ts'

const expectedFields = 'field:path, separated by commas, or the path of a JSON file'

function expectedInstead(given: string): string | undefined {
  const found = readFieldMap(given)
  return typeof found === 'string' ? found : undefined
}

export const ordersVariables = {
  orderFields: define({
    name: 'ORDER_FIELDS',
    unit: 'list',
    about:
      'Where the fields of an order are, for shops that name them otherwise: see [map your fields](../how-to/map-your-fields.md).',
    expected: expectedFields,
    expectedOf: expectedInstead,
    unset: 'each field under its own name',
    schema: text
      .transform((given, context): FieldMap => {
        const found = readFieldMap(given)
        if (typeof found !== 'string') return found
        context.addIssue(found)
        return z.NEVER
      })
      .optional(),
  }),
  currency: define({
    name: 'CURRENCY',
    unit: 'code',
    expected: 'the code of a currency with minor units by ISO 4217, such as EUR',
    expectedOf: (given) => (currencyOf(given.toUpperCase()) ? `${given.toUpperCase()}, in capitals` : undefined),
    unset: 'any, with two decimals',
    about:
      'Currency of all amounts: its minor units by ISO 4217 are their decimals, and an order whose `currency` is another one is rejected. Fixed once Redis is set up.',
    schema: text
      .refine((given) => currencyOf(given) !== undefined)
      .transform(currencyOf)
      .optional(),
  }),
  valueTolerance: define({
    name: 'VALUE_TOLERANCE',
    unit: '%',
    about: 'How far `order_value` and the total of the items may differ, in percent of the larger of the two.',
    expected: 'a percentage from 0 to 100, such as 0.5',
    schema: withDefault(
      text
        .regex(/^\d{1,3}(?:\.\d{1,4})?%?$/)
        .transform((given) => Number.parseFloat(given))
        .pipe(z.number().max(100)),
      1,
    ),
  }),
  itemsTotal: define({
    name: 'ITEMS_TOTAL',
    unit: 'name',
    about: '`off` accepts orders whose items do not add up to `order_value`. The items themselves are still checked.',
    expected: '`check` or `off`',
    schema: withDefault(z.enum(['check', 'off']), 'check'),
  }),
}
