import { replaceByFile } from '../../support/archive.ts'
import type { Cause } from './cause.ts'

/** The folder of the archive is gone: a file is in its place. */
export const archiveGone: Cause = {
  title: 'the folder of the archive is gone',
  fires: ['OrdersArchiveFailing'],
  begin: async ({ archive }) => replaceByFile(archive),
}
