import { readFileSync } from 'node:fs'

/** Static imports of code: types are gone when Node runs it, and `import(…)` loads when it is called. */
const imports = /^(?:import|export)\b(?! type\b)(?:[^'"(;]*?\bfrom)?\s*'([^']+)'/gm

/** Lists what is loaded together with a file: each file with the packages, and modules of Node, that it imports. */
export function loadedWith(file: URL): Map<string, string[]> {
  const loaded = new Map<string, string[]>()
  const visit = (file: URL): void => {
    if (loaded.has(file.href)) return
    const names = [...readFileSync(file, 'utf8').matchAll(imports)].map(([, from = '']) => from)
    loaded.set(
      file.href,
      names.filter((name) => !name.startsWith('.')),
    )
    for (const name of names) if (name.startsWith('.')) visit(new URL(name, file))
  }
  visit(file)
  return loaded
}
