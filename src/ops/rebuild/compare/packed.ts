import type { Difference } from '../../reconcile/difference.ts'

/** Holds what keys lack, by key. */
export interface Differences {
  get(key: string): Difference | undefined
  has(key: string): boolean
  keys(): IteratorObject<string>
  values(): IteratorObject<Difference>
  set(difference: Difference): void
  delete(key: string): void
}

/** All but the key and the amounts. Those of most users have the same. */
interface Form extends Omit<Difference, 'key' | 'add'> {
  readonly fields: readonly string[]
}

interface Packed {
  readonly form: Form
  readonly amounts: readonly number[]
}

/** Opens differences that take some 250 bytes each: a million users may differ, in several months. */
export function openDifferences(): Differences {
  const forms = new Map<string, Form>()
  const packed = new Map<string, Packed>()
  const formOf = ({ add, odd, isReplaced, isForeign, expiresAt }: Difference): Form => {
    const form = { fields: [...add.keys()], odd, isReplaced, isForeign, expiresAt }
    const name = JSON.stringify(form)
    const known = forms.get(name)
    if (!known) forms.set(name, form)
    return known ?? form
  }
  const unpack = (key: string, { form, amounts }: Packed): Difference => {
    const { fields, ...rest } = form
    return { key, ...rest, add: new Map(fields.map((field, at) => [field, amounts[at] ?? 0])) }
  }
  return {
    get: (key) => {
      const found = packed.get(key)
      return found && unpack(key, found)
    },
    has: (key) => packed.has(key),
    keys: () => packed.keys(),
    values: () => packed.entries().map(([key, one]) => unpack(key, one)),
    set: (difference) =>
      void packed.set(difference.key, { form: formOf(difference), amounts: [...difference.add.values()] }),
    delete: (key) => void packed.delete(key),
  }
}
