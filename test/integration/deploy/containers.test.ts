import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { dockerLines } from '../../support/containers/docker-lines.ts'
import { type Deployment, deployment } from '../../support/containers/k8s/manifests.ts'
import { placesOf } from '../../support/containers/k8s/places.ts'
import { allowedEdges, nameOf, networkPolicy } from '../../support/containers/k8s/policies.ts'
import { deployedRoles } from '../../support/deployed-roles.ts'
import { root } from '../../support/markdown.ts'
import { readPage } from '../../support/pages/blocks.ts'
import { linesFor, verbOf } from '../../support/pages/shown.ts'

/*
 * No Docker engine is needed: a change of a page or a manifest that `npm run test:containers` does not know fails here, on
 * every machine.
 */

/** Reads the resources of a file of the base, in the namespace that kustomize gives them. */
function itemsOf(file: string): unknown[] {
  const { items } = list.parse(parse(readFileSync(join(root, 'deploy/k8s/base', file), 'utf8'), { merge: true }))
  return items.map((one) => ({ ...one, metadata: { ...one.metadata, namespace: 'orders' } }))
}
const list = z.object({ items: z.array(z.looseObject({ metadata: z.looseObject({}) })) })

const deployments = (): Deployment[] => itemsOf('deployments.yaml').map((one) => deployment.parse(one))

test('the containers can play each field of the manifests, and are connected as the policies say', () => {
  const policies = itemsOf('network.yaml').map((one) => networkPolicy.parse(one))
  const edges = allowedEdges(policies, placesOf({ deployments: deployments() })).map(nameOf)
  expect(edges.toSorted()).toEqual(
    [
      ...[...deployedRoles, 'command'].map((name) => `${name} → redis`),
      ...['bridge → sqs', 'jobs → sqs'],
      ...deployedRoles.map((name) => `monitoring → ${name}`),
      'ingress → api',
    ].toSorted(),
  )
})

test('a start may take as long in a container as in a Pod', () => {
  const limits = deployments().map(({ spec }) => {
    const { periodSeconds, failureThreshold } = spec.template.spec.containers[0].startupProbe
    return `${periodSeconds * failureThreshold}s`
  })
  const found = ['Dockerfile', 'docker-compose.yml'].map(
    (file) => /start[-_]period[=:] ?(\w+)/.exec(readFileSync(join(root, file), 'utf8'))?.[1],
  )
  expect(new Set(limits)).toEqual(new Set(['120s']))
  expect(found).toEqual(['120s', '120s'])
})

test('each docker line of the pages is one that the tests of the containers run', () => {
  expect(linesFor('docker').filter((line) => !dockerLines.includes(line))).toEqual([])
  expect(dockerLines.filter((line) => !linesFor('docker').includes(line))).toEqual([])
})

test('each verb of kubectl on the pages has a row that says how far it is run', () => {
  const [, rows = ''] =
    /\n\| kubectl \| executed \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(readPage('docs/how-to/kubernetes.md')) ?? []
  const named = [...rows.matchAll(/^\| (.*?) \|/gm)].flatMap(([, verbs = '']) =>
    [...verbs.matchAll(/`([^`]+)`/g)].map(([, verb]) => verb),
  )
  expect(named.toSorted()).toEqual([...new Set(linesFor('kubectl').map(verbOf))].toSorted())
})

test('each kubectl line of the pages names what the manifests have', () => {
  const names = deployments().map(({ metadata }) => metadata.name)
  const pattern = / (?:deploy(?:ment)?\/|scaledobject )(\w+)(?= |$)/g
  const named = linesFor('kubectl').flatMap((line) => [...line.matchAll(pattern)].map(([, name]) => name))
  expect(named.length).toBeGreaterThan(10)
  expect(names).toEqual(expect.arrayContaining(named))
})
