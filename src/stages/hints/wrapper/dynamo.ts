import { isObject } from '../../../order/json.ts'
import type { Json, JsonObject } from '../reading.ts'

/** Recognizes an item by its first members: each is {"S": …}, {"N": …} or the like. */
export function isDynamoItem(value: Json): boolean {
  if (!isObject(value)) return false
  const members = Object.values(value).slice(0, 20)
  return members.length > 0 && members.every(isAttribute)
}

/** Recognizes a value with its DynamoDB type. */
export function isAttribute(value: Json): value is JsonObject {
  if (!isObject(value)) return false
  const names = Object.keys(value)
  return names.length === 1 && /^(?:S|N|B|BOOL|NULL|M|L|SS|NS|BS)$/.test(names[0] ?? '')
}
