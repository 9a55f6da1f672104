import { type openApiDocument, sharedErrors } from '../src/api/http/openapi.ts'
import { type Route, rightOf } from '../src/api/http/route.ts'
import { type ErrorEntry, errorCodes, exitCodes } from '../src/errors.ts'
import { eventTable } from '../src/events/table.ts'
import type { Command } from '../src/ops/command.ts'
import { helpOf } from '../src/ops/help.ts'
import { codeOf, rejectGroupNames, rejectGroups } from '../src/reject-codes.ts'

type Row = readonly string[]

/** Returns a heading and the help of each command. */
export function commandsText(commands: readonly Command[]): string {
  return commands
    .map((command) => [`## orders ${command.name}`, '', '```text', ...helpOf(command), '```'].join('\n'))
    .join('\n\n')
}

export const exitCodeRows = (): Row[] => Object.entries(exitCodes)

/** Returns cause, fix and exit code of each error code, and what happens next where a process ends with it. */
export function errorsText(): string {
  return Object.entries<ErrorEntry>(errorCodes)
    .map(([code, { cause, fix, exitCode = '130, 143 or 129, by the signal', next }]) =>
      [`### ${code}`, cause, `Fix: ${fix}`, ...nextText(next), `Exit code: ${exitCode}.`].join('\n\n'),
    )
    .join('\n\n')
}

const nextText = (next: ErrorEntry['next']): string[] =>
  next ? [`Next: ${next.text} See [${next.alert}](../runbook.md#${next.alert.toLowerCase()}).`] : []

export const rejectionRows = (): Row[] => rejectGroupNames.map((group) => [`\`${codeOf(group)}\``, rejectGroups[group]])

/** @param source of events/fields.ts: the fields of events are types, which no running code can list */
export function eventRows(source: string): Row[] {
  return Object.entries(eventTable).map(([event, [level, about]]) => {
    const fields = [...declaredFields(source, event).matchAll(/(\w+)\??: /g)].map(([, field]) => `\`${field}\``)
    return [`\`${event}\``, level, about, fields.join(', ')]
  })
}

/** Returns the declaration of an event's fields. One event may have those of another. */
function declaredFields(source: string, event: string): string {
  const [, own, other] = new RegExp(`^  ${event}: (?:\\{([^}]*)\\}|Events\\['(\\w+)'\\]$)`, 'm').exec(source) ?? []
  return other === undefined ? (own ?? '') : declaredFields(source, other)
}

/** Returns each route with the right that it needs and the first sentence of its summary. */
export function callRows(routes: readonly Route[]): Row[] {
  return routes.map((route) => {
    const call = `${route.method.toUpperCase()} ${route.path}`
    return [`\`${call}\``, rightOf(route), `${firstSentence(route.summary)}.`]
  })
}

const firstSentence = (text: string): string => (text.split(/(?<=\w)[.;](?: |$)/)[0] ?? text).replace(/\.$/, '')

type Document = ReturnType<typeof openApiDocument>

/** Returns the parameters, the body and the replies of each route, but for the errors that many routes share. */
export function routesText({ paths = {}, components }: Document): string {
  const schemas = (components?.schemas ?? {}) as Readonly<Record<string, Schema>>
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries((methods ?? {}) as Record<string, Operation>).map(([method, operation]) =>
        routeText(`${method.toUpperCase()} ${path}`, operation, schemas),
      ),
    )
    .join('\n\n')
}

interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

interface Operation {
  readonly description?: string
  readonly parameters?: readonly { name: string; in: string; required?: boolean; description?: string }[]
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
  readonly responses?: Readonly<Record<string, { description?: string }>>
}

function routeText(call: string, operation: Operation, schemas: Readonly<Record<string, Schema>>): string {
  const { description = '', parameters = [], requestBody, responses = {} } = operation
  const given = requestBody?.content?.['application/json']?.schema
  const body = schemas[given?.$ref?.split('/').at(-1) ?? ''] ?? given
  const inputs = [
    ...parameters.map(({ name, in: place, required, description }) => inputLine(name, place, required, description)),
    ...Object.entries(body?.properties ?? {}).map(([name, { description }]) =>
      inputLine(name, 'body', body?.required?.includes(name), description),
    ),
  ]
  const replies = Object.entries(responses)
    .filter(([status, { description }]) => !isShared(status, description))
    .map(([status, { description = '' }]) => `- ${status}: ${description}`)
  const text = description.replaceAll(/(?<=\.) /g, '\n') // one sentence a line: some are long
  return [`### ${call}`, text, [...inputs, ...replies].join('\n')].join('\n\n')
}

function inputLine(name: string, place: string, required = false, about = ''): string {
  return `- \`${name}\` (${place}${required ? ', required' : ''})${about && `: ${about}`}`
}

const isShared = (status: string, description: string | undefined): boolean =>
  sharedErrors.some(([code, cause]) => code === status && cause === description)
