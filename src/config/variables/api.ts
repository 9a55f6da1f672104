import { z } from 'zod'
import { define, flag, integer, text, withDefault } from '../variable.ts'

/** Checks for an origin in the form that a browser sends. */
const isOrigin = (given: string): boolean =>
  URL.canParse(given) && /^https?:/.test(given) && new URL(given).origin === given

export const apiVariables = {
  apiHost: define({
    name: 'API_HOST',
    unit: 'host',
    expected: 'a host name or address to listen on',
    about: 'Address the API listens on; `0.0.0.0` is every interface.',
    schema: withDefault(text.regex(/^[^\s/]+$/), '127.0.0.1'),
  }),
  apiAllowedHosts: define({
    name: 'API_ALLOWED_HOSTS',
    unit: 'names',
    expected: 'host names separated by commas, such as `orders.example.com`, `.example.com` for all below it, or `*`',
    unset: 'localhost and addresses',
    about:
      'Names that clients use to reach the API, as in the Host header. Any other name is refused, as protection from DNS rebinding.',
    schema: text
      .transform((given) => given.split(',').map((name) => name.trim().toLowerCase()))
      .pipe(z.array(z.string().regex(/^(\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/)))
      .optional(),
  }),
  apiPublic: define({
    name: 'API_PUBLIC',
    unit: 'flag',
    expected: '`true` or `false`',
    about:
      "Shows whole orders and operators' names without the token even if API_HOST is open to other machines. Writes always need the token.",
    schema: flag,
  }),
  apiPort: define({
    name: 'API_PORT',
    unit: 'port',
    expected: 'a port number from 0 to 65535',
    about: 'Port of the API; 0 picks a free one.',
    schema: withDefault(integer(0, 65_535), 8000),
  }),
  adminTokens: define({
    name: 'ADMIN_TOKEN',
    unit: 'text',
    expected: 'a token of at least 16 characters without white space, such as openssl rand -hex 16 prints',
    expectedOf: (given) =>
      given.includes(',')
        ? 'tokens of at least 16 characters each, separated by one comma, without white space'
        : undefined,
    unset: 'no access; with `orders start` this machine has access',
    about:
      'Token for the admin pages and the routes that write, sent as Bearer, or as Basic with any user name. Several, separated by commas, are all accepted, to replace one without a gap.',
    isSecret: true,
    // 16 characters of hex are 64 bits: out of reach at any number of guesses a minute.
    schema: text
      .transform((given) => given.split(','))
      .pipe(z.array(z.string().regex(/^\S{16,}$/)))
      .optional(),
  }),
  apiBasePath: define({
    name: 'API_BASE_PATH',
    unit: 'path',
    expected: 'a path such as /orders-app, without a slash at its end',
    unset: 'none',
    about:
      'Path at which a proxy serves the API, such as `/orders-app`; Bull Board needs it. The API also answers under this path, for a proxy that does not strip it.',
    schema: withDefault(text.regex(/^(\/[\w.~-]+)+$/), ''),
  }),
  apiCorsOrigins: define({
    name: 'API_CORS_ORIGINS',
    unit: 'origins',
    expected: 'origins separated by commas, such as https://shop.example',
    unset: 'no other site',
    about:
      'Exact origins of the sites that may read the API from a browser (CORS), separated by commas. They cannot write.',
    schema: text
      .transform((given) => given.split(','))
      .refine((origins) => origins.every(isOrigin))
      .optional(),
  }),
  metricsPort: define({
    name: 'METRICS_PORT',
    unit: 'port',
    expected: 'a port number from 0 to 65535',
    unset: 'not served',
    about: 'Port on which a process without the API serves `/metrics`, `/livez` and `/readyz` (on API_HOST).',
    schema: integer(0, 65_535).optional(),
  }),
}
