import { existsSync, readFileSync } from 'node:fs'
import { Router } from 'express'

const file = new URL('../../docs/runbook.md', import.meta.url)

/** Serves the runbook, so that the dashboard can lead to what to do. Without the file there is no such page. */
export function runbook(): Router {
  const router = Router()
  if (!existsSync(file)) return router
  const page = pageOf(readFileSync(file, 'utf8'))
  router.get('/runbook', (request, response) => {
    if (request.path.endsWith('/')) return response.redirect('../runbook') // the page's links are relative to it
    response.type('html').send(page)
  })
  return router
}

/** Shows the Markdown in its own lines, with a heading and an anchor for each section. */
function pageOf(markdown: string): string {
  const [head = '', ...sections] = markdown.split(/^## /m)
  const shown = sections.map((section) => {
    const [title = '', ...lines] = section.split('\n')
    return `<section id="${anchorOf(title)}"><h2>${escaped(title)}</h2>\n${textOf(lines.join('\n'))}</section>`
  })
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Runbook</title><link rel="icon" href="assets/icon.svg">
<link rel="stylesheet" href="assets/style/base.css"><link rel="stylesheet" href="assets/style/runbook.css"></head>
<body><header><h1>Runbook</h1><p><a href="./">Dashboard</a></p></header>
<main>${textOf(head.replace(/^# .*\n/, ''))}
${shown.join('\n')}</main></body>
</html>`
}

const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** Renders tables, code, bold text and links within the page. Lists stay as they are written. */
function textOf(markdown: string): string {
  const blocks = escaped(markdown.trim()).split(/^```\w*\n([\s\S]*?)^```$/m)
  return blocks.map((block, at) => (at % 2 === 1 ? `<pre tabindex="0">${block}</pre>` : proseOf(block))).join('')
}

function proseOf(text: string): string {
  const marked = text
    .replaceAll(/\*\*(.+?)\*\*/g, '<strong>$1</strong>')
    .replaceAll(/`([^`\n]+)`/g, '<code>$1</code>')
    .replaceAll(/\[([^\]]+)\]\((#[\w-]+)\)/g, '<a href="runbook$2">$1</a>')
    .replaceAll(/\[([^\]]+)\]\(([^)#]+)[^)]*\)/g, (_, name: string, path: string) =>
      path.endsWith(name) ? name : `${name} (${path})`,
    )
  const parts = marked.trim().split(/((?:^\|.*\n?)+)/m)
  return parts.map((part, at) => (at % 2 === 1 ? tableOf(part) : part.trim() && `<p>${part.trim()}</p>`)).join('')
}

function tableOf(lines: string): string {
  const [head = '', _, ...rows] = lines.trim().split('\n')
  const rowOf = (line: string, cell: string): string =>
    `<tr>${line
      .split('|')
      .slice(1, -1)
      .map((text) => `<${cell}>${text.trim()}</${cell}>`)
      .join('')}</tr>`
  return `<table>${rowOf(head, 'th')}${rows.map((row) => rowOf(row, 'td')).join('')}</table>`
}
