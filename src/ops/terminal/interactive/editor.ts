import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { processEnv } from '../../../config/config.ts'
import { messageOf } from '../../../errors.ts'

/** A text that was edited, and the file that holds it until it is removed. A text that was given has no such file. */
export interface Edited {
  readonly file: string | undefined
  readonly text: string
  readonly isChanged: boolean
  /** Says why the editor failed, if it did. */
  readonly failure: string | undefined
  remove(): Promise<void>
}

/** Opens a text in the editor of the operator, $VISUAL or else $EDITOR, and returns it when the editor has ended. */
export async function editText(text: string): Promise<Edited> {
  const file = join(await mkdtemp(join(tmpdir(), 'orders-')), 'order.json')
  await writeFile(file, `${text}\n`, { mode: 0o600 })
  const { VISUAL, EDITOR } = processEnv()
  const failure = await runEditor(VISUAL || EDITOR || (isWindows ? 'notepad' : 'vi'), file)
  const edited = (await readFile(file, 'utf8').catch(() => text)).replace(/\r?\n$/, '')
  const remove = (): Promise<void> => rm(dirname(file), { recursive: true, force: true })
  return { file, text: edited, isChanged: edited !== text, failure, remove }
}

/** Returns a text that was given in place of one that an operator edits. */
export const unedited = (text: string): Edited => ({
  ...{ file: undefined, text, isChanged: true, failure: undefined },
  remove: async () => {},
})

const isWindows = process.platform === 'win32'

/** Runs it as git does: the variable may hold options too. */
async function runEditor(editor: string, file: string): Promise<string | undefined> {
  const [program, args] = isWindows
    ? ['cmd', ['/c', `${editor} "${file}"`]]
    : ['sh', ['-c', `${editor} "$1"`, editor, file]]
  try {
    const [code, signal] = await once(spawn(program, args, { stdio: 'inherit' }), 'exit')
    return code === 0 ? undefined : `${editor} ended with ${code ?? signal}`
  } catch (error) {
    return `${editor} could not be started: ${messageOf(error)}`
  }
}
