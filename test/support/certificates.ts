import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeOnExit } from './on-exit.ts'

/** A CA of a test's own, and what a server on loopback needs that shows a certificate of it. */
export interface Certificates extends Disposable {
  readonly caFile: string
  /** Options of redis-server. */
  readonly options: readonly string[]
}

/** @param name the one that the certificate is for */
export function makeCertificates(name = 'IP:127.0.0.1'): Certificates {
  const dir = mkdtempSync(join(tmpdir(), 'orders-test-tls-'))
  const folder = removeOnExit(dir)
  const file = (part: string): string => join(dir, part)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=orders test CA')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=redis')
  writeFileSync(file('names'), `subjectAltName=${name}`)
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
  openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.pem')
  const own = ['--tls-cert-file', file('server.pem'), '--tls-key-file', file('server.key')]
  return {
    caFile: file('ca.pem'),
    options: [...own, '--tls-ca-cert-file', file('ca.pem')],
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}
