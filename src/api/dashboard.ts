import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express, { Router } from 'express'
import type { Config } from '../config/config.ts'

const pages = fileURLToPath(new URL('./public', import.meta.url))
const plots = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.esm.js'))

/** Serves the page that shows the pipeline live. Nothing of it comes from elsewhere. */
export function dashboard({ calendar }: Pick<Config, 'calendar'>): Router {
  const written = withPreloads(readFileSync(join(pages, 'index.html'), 'utf8'))
  const page = calendar === 'off' ? written : withDays(written)
  const router = Router()
  router.get('/', (request, response) => {
    const [path = ''] = request.originalUrl.split('?')
    if (!path.endsWith('/')) return response.redirect(`${path}/`) // the page's links are relative to it
    response.type('html').send(page)
  })
  router.use('/assets/uplot', express.static(plots, { index: false, maxAge: '1h' }))
  router.use('/assets', express.static(pages, { index: false })) // not cached, so all modules are of one release
  return router
}

/** Shows the section of days from the start, so that no other section moves when the first snapshot comes. */
const withDays = (page: string): string => page.replace('<section class="of-days" hidden', '<section class="of-days"')

/** Names every module in the page, so that a browser loads them all at once and not one import after the other. */
function withPreloads(page: string): string {
  const files = readdirSync(pages, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'))
  const modules = ['uplot/uPlot.esm.js', ...files.filter((file) => file.endsWith('.js')).sort()]
  const links = modules.map((file) => `<link rel="modulepreload" href="assets/${file}" />`)
  return page.replace(/<!-- modulepreload[^>]*-->/, links.join('\n    '))
}
