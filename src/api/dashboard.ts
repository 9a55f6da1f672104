import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import express, { Router } from 'express'

const pages = fileURLToPath(new URL('./public', import.meta.url))
const plots = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.esm.js'))

/** The page that shows the line live; all of it is served from here. */
export function dashboard(): Router {
  const router = Router()
  router.get('/', (request, response) => {
    const [path = ''] = request.originalUrl.split('?')
    if (!path.endsWith('/')) return response.redirect(`${path}/`) // the page's links are relative to it
    response.sendFile('index.html', { root: pages })
  })
  router.use('/assets/uplot', express.static(plots, { index: false, maxAge: '1h' }))
  router.use('/assets', express.static(pages, { index: false })) // asked for anew each time: modules of one release
  return router
}
