import { z } from 'zod'

/** An environment variable. Its check, its messages and its line in the documentation come from this declaration. */
export interface Variable<S extends z.ZodType = z.ZodType> {
  readonly name: string
  /** The unit of the value, or its kind. */
  readonly unit: string
  /** Shown to the user when the value is invalid: what to set instead. */
  readonly expected: string
  /** Returns a more precise text for some invalid values. */
  readonly expectedOf?: (given: string) => string | undefined
  readonly about: string
  /** The value appears in no message. */
  readonly isSecret?: true
  /** Describes the default if an unset variable triggers a behavior instead of a value. */
  readonly unset?: string
  readonly schema: S
}

export const define = <S extends z.ZodType>(variable: Variable<S>): Variable<S> => variable

export const text = z.string()

export const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max))

export const withDefault = <S extends z.ZodType>(schema: S, value: z.output<S>) =>
  schema.optional().transform((given): z.output<S> => given ?? value)

/** Parses `true` or `false`; false if unset. */
export const flag = withDefault(
  z.enum(['true', 'false']).transform((given) => given === 'true'),
  false,
)

/** Declares a whole number with a default. */
export const count = (name: string, value: number, max: number, about: string, unit = 'count', min = 1) =>
  define({
    name,
    unit,
    about,
    expected: `a whole number from ${min} to ${max}`,
    schema: withDefault(integer(min, max), value),
  })
