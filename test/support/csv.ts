/** Reads CSV by RFC 4180, as other programs do. @throws if it is not CSV */
export function csvRows(text: string): string[][] {
  const rows: string[][] = [[]]
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/y
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text)
    if (!found) throw new Error(`No CSV: ${JSON.stringify(text.slice(0, 200))}`)
    const [, quoted, plain = '', end] = found
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '\r\n' && cell.lastIndex < text.length) rows.push([])
  }
  return rows
}
