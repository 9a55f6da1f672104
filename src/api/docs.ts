import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import express, { Router } from 'express'

const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

/** Its links are relative, so that it works behind a proxy at any path. */
const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Order pipeline API</title>
<link rel="stylesheet" href="docs/assets/swagger-ui.css"></head>
<body><main id="ui"></main><script src="docs/assets/swagger-ui-bundle.js"></script><script src="docs/init.js"></script></body>
</html>`
/** Follows the color scheme of the system, as the dashboard does. */
const init = `const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', follow)
follow()
SwaggerUIBundle({ url: 'openapi.json', dom_id: '#ui', validatorUrl: null })`

/** Serves the interactive documentation. Nothing of it comes from elsewhere. */
export function docs(): Router {
  const router = Router()
  router.get('/docs', (request, response) => {
    if (request.path.endsWith('/')) return response.redirect('../docs')
    response.type('html').send(page)
  })
  // FastAPI has its other documentation here.
  router.get('/redoc', (request, response) => response.redirect(request.path.endsWith('/') ? '../docs' : 'docs'))
  router.get('/docs/init.js', (_request, response) => {
    response.type('js').send(init)
  })
  router.use('/docs/assets', express.static(assets, { index: false, maxAge: '1h' }))
  return router
}
