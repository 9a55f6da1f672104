/** Fields of an order that a map may place. */
export const orderFields = [
  'user_id',
  'order_id',
  'order_value',
  'items',
  'order_timestamp',
  'shipping_address',
  'payment_method',
  'currency',
  'event',
  'event_id',
  'amount',
] as const
/** Fields of an item that a map may place. It names them with `items.` in front. */
export const itemFields = ['product_id', 'quantity', 'price_per_unit'] as const

export type OrderField = (typeof orderFields)[number]
export type ItemField = (typeof itemFields)[number]
export type MappedField = OrderField | `items.${ItemField}`

export const mappedFields: readonly MappedField[] = [
  ...orderFields,
  ...itemFields.map((name) => `items.${name}` as const),
]
/** Amounts, which a shop may send as decimal text. */
export const decimalFields: readonly MappedField[] = ['order_value', 'amount', 'items.quantity', 'items.price_per_unit']

/** Where a field is: the names on the way to it. */
export interface Place {
  readonly path: readonly string[]
  /** True if a number may come as decimal text. */
  readonly isDecimal: boolean
}

/** A field and its place; under its own name unless the map says otherwise. */
export interface PlacedField<Name extends string = string> extends Place {
  readonly name: Name
  /** True if it is not under its own name. */
  readonly isMoved: boolean
}

/** Where a shop has fields of an order, and of each item. Those that are not here have their own names. */
export interface FieldMap {
  readonly order: readonly PlacedField<OrderField>[]
  readonly item: readonly PlacedField<ItemField>[]
}

/**
 * Makes a map of places by field.
 * @returns what is expected instead, if two fields share a place or one is within another
 */
export function fieldMapOf(places: ReadonlyMap<MappedField, Place>): FieldMap | string {
  const order = orderFields.map((name) => placed(name, places.get(name)))
  const item = itemFields.map((name) => placed(name, places.get(`items.${name}`)))
  const shared = sharedPlace(order) ?? sharedPlace(item)
  const isPlaced = ({ isMoved, isDecimal }: PlacedField): boolean => isMoved || isDecimal
  return shared ?? { order: order.filter(isPlaced), item: item.filter(isPlaced) }
}

function placed<Name extends string>(
  name: Name,
  { path, isDecimal }: Place = { path: [name], isDecimal: false },
): PlacedField<Name> {
  return { name, path, isDecimal, isMoved: path.length > 1 || path[0] !== name }
}

function sharedPlace(fields: readonly PlacedField[]): string | undefined {
  for (const one of fields) {
    const within = ({ name, path }: PlacedField): boolean =>
      name !== one.name && path.length <= one.path.length && path.every((step, at) => step === one.path[at])
    const other = one.isMoved ? fields.find(within) : undefined
    if (other)
      return `a place of its own for each field: ${pathText(one.path)} is that of ${one.name} and ${other.name}`
  }
  return undefined
}

/** Writes a map as a list for ORDER_FIELDS. Two maps that read alike have the same text. */
export function fieldMapText({ order, item }: FieldMap): string {
  const textOf = (prefix: string, fields: readonly PlacedField[]): string[] =>
    fields.map(({ name, path, isDecimal }) => `${prefix}${name}:${pathText(path)}${isDecimal ? ':decimal' : ''}`)
  return [...textOf('', order), ...textOf('items.', item)].join(',')
}

/** Writes a path as ORDER_FIELDS does. */
export const pathText = (path: readonly string[]): string =>
  path.map((name) => name.replace(/[\\.,:]/g, '\\$&')).join('.')
